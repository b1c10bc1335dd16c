"""Between the domain's nouns and their rows."""

from __future__ import annotations

import itertools

from domain.entities.embeddings import Hit, Query, QueryKind, QueryPart
from domain.entities.images import Exif, GeoPoint, Image, ImageStatus, Source
from domain.entities.keys import ApiKey, Scope
from domain.entities.searches import KeptSearch
from domain.entities.work import FoundObject
from infra.postgres.tables import ApiKeyRow, ImageRow, ObjectRow, SearchRow

IN_JSON = ("lens", "iso", "f_number", "exposure_seconds", "focal_length_mm")
"""The facts of EXIF that no filter asks for."""


def image_row(image: Image) -> ImageRow:
    """Return the row that keeps an image."""
    exif = image.exif or Exif()
    return ImageRow(
        id=image.id,
        sha256=image.sha256,
        filename=image.filename,
        content_type=image.content_type,
        byte_size=image.byte_size,
        created_at=image.created_at,
        status=image.status,
        failure_reason=image.failure_reason,
        width=image.width,
        height=image.height,
        placeholder=image.placeholder,
        perceptual_hash=image.perceptual_hash,
        pixel_sha256=image.pixel_sha256,
        alt_text=image.alt_text,
        tags=list(image.tags),
        taken_at=exif.taken_at,
        camera_make=exif.camera_make,
        camera_model=exif.camera_model,
        latitude=exif.location.latitude if exif.location else None,
        longitude=exif.location.longitude if exif.location else None,
        exif=None
        if image.exif is None
        else {name: getattr(exif, name) for name in IN_JSON} | {"all": dict(exif.all)},
        source=image.source.location if image.source else None,
        source_version=image.source.version if image.source else None,
    )


def image_of(row: ImageRow) -> Image:
    """Return the image that a row keeps."""
    return Image(
        id=row.id,
        filename=row.filename,
        content_type=row.content_type,
        byte_size=row.byte_size,
        sha256=row.sha256,
        created_at=row.created_at,
        status=ImageStatus(row.status),
        width=row.width,
        height=row.height,
        placeholder=row.placeholder,
        perceptual_hash=row.perceptual_hash,
        pixel_sha256=row.pixel_sha256,
        failure_reason=row.failure_reason,
        alt_text=row.alt_text,
        tags=tuple(row.tags),
        exif=_exif_of(row),
        source=Source(row.source, row.source_version or "") if row.source else None,
    )


def _exif_of(row: ImageRow) -> Exif | None:
    if row.exif is None:
        return None
    location = None
    if row.latitude is not None and row.longitude is not None:
        location = GeoPoint(row.latitude, row.longitude)
    return Exif(
        taken_at=row.taken_at,
        camera_make=row.camera_make,
        camera_model=row.camera_model,
        location=location,
        **row.exif,
    )


def object_of(row: ObjectRow) -> FoundObject:
    """Return the object that a row keeps."""
    return FoundObject(row.id, Source(row.location, row.version), row.byte_size, tuple(row.tags))


def search_row(search: KeptSearch) -> SearchRow:
    """Return the row that keeps a search."""
    return SearchRow(
        id=search.id,
        created_at=search.created_at,
        model=search.model,
        kind=search.query.kind,
        embedding=list(search.query.embedding),
        question=search.query_digest,
        conditions=search.options_digest,
        image_ids=[hit.image_id for hit in search.hits],
        scores=[hit.score for hit in search.hits],
        exact=search.exact,
        part_embeddings=[list(part.embedding) for part in search.query.blended],
        part_kinds=[part.kind for part in search.query.blended],
        part_weights=[part.weight for part in search.query.blended],
        # All hits were judged, or none.
        relevances=[hit.relevance for hit in search.hits if hit.relevance is not None] or None,
        stand_for=[hit.collapsed_count for hit in search.hits],
    )


def search_of(row: SearchRow) -> KeptSearch:
    """Return the search that a row keeps."""
    return KeptSearch(
        id=row.id,
        created_at=row.created_at,
        model=row.model,
        query=Query(row.embedding, QueryKind(row.kind), _parts_of(row)),
        query_digest=row.question,
        options_digest=row.conditions,
        hits=tuple(
            map(
                Hit,
                row.image_ids,
                row.scores,
                row.relevances or itertools.repeat(None),
                row.stand_for,
            )
        ),
        exact=row.exact,
    )


def _parts_of(row: SearchRow) -> tuple[QueryPart, ...]:
    kinds = map(QueryKind, row.part_kinds)
    return tuple(map(QueryPart, row.part_embeddings, kinds, row.part_weights))


def key_row(key: ApiKey) -> ApiKeyRow:
    """Return the row that keeps a key."""
    return ApiKeyRow(
        id=key.id,
        name=key.name,
        sha256=key.sha256,
        scopes=sorted(key.scopes),
        created_at=key.created_at,
        revoked_at=key.revoked_at,
    )


def key_of(row: ApiKeyRow) -> ApiKey:
    """Return the key that a row keeps."""
    return ApiKey(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        scopes=frozenset(map(Scope, row.scopes)),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
