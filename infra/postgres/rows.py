"""Conversions between entities and rows, for all tables except that of images."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from domain.entities.embeddings import Hit, Query, QueryKind, QueryPart
from domain.entities.images import Source
from domain.entities.keys import ApiKey, Scope
from domain.entities.searches import KeptSearch
from domain.entities.work import FoundObject
from infra.postgres.tables import ApiKeyRow, ObjectRow, SearchRow

if TYPE_CHECKING:
    from sqlalchemy import Row


def object_of(row: ObjectRow) -> FoundObject:
    """Return the object of a row."""
    return FoundObject(row.id, Source(row.location, row.version), row.byte_size, tuple(row.tags))


def search_values(search: KeptSearch) -> dict[str, object]:
    """Return the values of the row of a search."""
    relevances = [hit.relevance for hit in search.hits]
    return {
        "id": search.id,
        "created_at": search.created_at,
        "model": search.model,
        "kind": search.query.kind,
        "embedding": list(search.query.embedding),
        "question": search.query_digest,
        "conditions": search.options_digest,
        "image_ids": [hit.image_id for hit in search.hits],
        "scores": [hit.score for hit in search.hits],
        "exact": search.exact,
        "part_embeddings": [list(part.embedding) for part in search.query.blended],
        "part_kinds": [part.kind for part in search.query.blended],
        "part_weights": [part.weight for part in search.query.blended],
        # Often no hit has a relevance yet.
        "relevances": relevances if any(each is not None for each in relevances) else None,
        "stand_for": [hit.collapsed_count for hit in search.hits],
        "depth": search.depth,
        "ranked_depth": search.ranked_depth,
    }


def search_of(row: SearchRow | Row[*tuple[Any, ...]]) -> KeptSearch:
    """Return the search of a row, by the names of its columns."""
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
        depth=row.depth,
        ranked_depth=row.ranked_depth,
    )


def _parts_of(row: SearchRow | Row[*tuple[Any, ...]]) -> tuple[QueryPart, ...]:
    kinds = map(QueryKind, row.part_kinds)
    return tuple(map(QueryPart, row.part_embeddings, kinds, row.part_weights))


def key_row(key: ApiKey) -> ApiKeyRow:
    """Return the row of a key."""
    return ApiKeyRow(
        id=key.id,
        name=key.name,
        sha256=key.sha256,
        scopes=sorted(key.scopes),
        created_at=key.created_at,
        revoked_at=key.revoked_at,
    )


def key_of(row: ApiKeyRow | Row[*tuple[Any, ...]]) -> ApiKey:
    """Return the key of a row, by the names of its columns."""
    return ApiKey(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        scopes=frozenset(map(Scope, row.scopes)),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
