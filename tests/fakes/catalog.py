"""The catalog in memory: exact searches, and a simple keyword syntax."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from domain.entities.embeddings import EmbeddingModel, Hit, Ranking
from domain.entities.filters import ImageFilter, Orientation
from domain.entities.images import Exif, ImageStatus
from domain.entities.listing import Page, position_of
from domain.entities.models import KnownModel, ModelState
from domain.errors import ImageNotFound
from tests.fakes.events import MemoryEvents
from tests.fakes.facets import values_of
from tests.fakes.sort_orders import order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding, Query
    from domain.entities.facets import Facet, FacetValue, Selection
    from domain.entities.filters import GeoNear, IntRange, LocalTimeRange, TimeRange
    from domain.entities.images import GeoPoint, Image, ImageChanges, ReadyPosition
    from domain.entities.listing import Sort, Window
    from domain.entities.places import GeoBox

EARTH_RADIUS_KM = 6371.0088
MICROMETRE = 1e-9  # in kilometres
MODEL = EmbeddingModel("fake", 16)
UPDATING = ("tags", "alt_text", "rating", "status")
"""The facts whose changes count as updates."""


class MemoryCatalog:
    """Stores images and embeddings in dictionaries. Keywords are words that must all occur."""

    def __init__(self, model: EmbeddingModel = MODEL) -> None:
        self._model = model
        self._images: dict[UUID, Image] = {}
        self._deleted: dict[UUID, Image] = {}
        """The trash, with which ``MemoryTrash`` exchanges images."""
        self.missing: set[UUID] = set()
        """Images that are in the trash because all of their files are missing."""
        self._embeddings: dict[UUID, Embedding] = {}
        self.pending: list[UUID] = []
        """Images added by ``add_pending``, for which the work queue has no task yet."""
        self.deleted: set[UUID] = set()
        """Images that were deleted, together with their tasks."""
        self.events = MemoryEvents()
        """Emits the ids of changed images, as the database's triggers do."""
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._ready_at: dict[UUID, datetime] = {}

    async def add(self, image: Image, embedding: Embedding) -> Image:
        for kept in self._stored():
            if kept.sha256 == image.sha256:
                return kept
        self._embeddings[image.id] = embedding
        self._keep(image)
        return image

    def _stored(self) -> list[Image]:
        return [*self._images.values(), *self._deleted.values()]

    def all(self) -> list[Image]:
        """Return every image."""
        return list(self._images.values())

    def all_kept(self) -> list[Image]:
        """Return every image that no user deleted: also those in the trash as missing."""
        return [*self.all(), *(self._deleted[id_] for id_ in sorted(self.missing))]

    def kept(self, image_id: UUID | None) -> Image | None:
        """Return an image unless a user deleted it: also from the trash as missing."""
        if image_id is None:
            return None
        return (self._deleted if image_id in self.missing else self._images).get(image_id)

    def is_embedded(self, image_id: UUID) -> bool:
        """Return whether an image has an embedding."""
        return bool(self._embeddings.get(image_id))

    def put(self, image: Image, embedding: Embedding | None = None) -> None:
        """Replace a stored image, and its embedding if one is given."""
        if embedding is not None:
            self._embeddings[image.id] = embedding
        self._keep(image)

    def fail_deleted(self, ids: Iterable[UUID], reason: str) -> None:
        """Make images in the trash FAILED, without embeddings."""
        for id_ in self._deleted.keys() & set(ids):
            self._deleted[id_] = replace(
                self._deleted[id_], status=ImageStatus.FAILED, failure_reason=reason
            )
            self._embeddings[id_] = ()

    def _keep(self, image: Image) -> None:
        before = self._images.get(image.id)
        self._images[image.id] = self._updated(before, image)
        if before is None or before.status is not image.status:
            if image.status is ImageStatus.READY:
                self._ready_at[image.id] = self.now()
            self.events.emit(image.id)

    def _updated(self, before: Image | None, now: Image) -> Image:
        """Return the image with the time of its last change."""
        if before is None:
            return now
        is_same = all(getattr(before, name) == getattr(now, name) for name in UPDATING)
        return replace(now, updated_at=before.updated_at if is_same else self.now())

    async def add_pending(self, image: Image) -> Image:
        kept = await self.add(image, ())
        if kept is image:
            self.pending.append(image.id)
        return kept

    async def make_ready(self, image: Image, embedding: Embedding) -> None:
        here = self._images.get(image.id)
        if here is not None and here.status is ImageStatus.PROCESSING:
            self.put(with_edits_of(here, image), embedding)

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        return {id_: self._images[id_] for id_ in ids if id_ in self._images}

    async def existing_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        return {image.id for image in self._stored()} & set(ids)

    async def find_by_digest(self, sha256s: Sequence[str]) -> dict[str, Image]:
        wanted = set(sha256s)
        return {image.sha256: image for image in self._stored() if image.sha256 in wanted}

    async def matching(self, ids: Sequence[UUID], criteria: ImageFilter) -> set[UUID]:
        return {image.id for image in self._matching(criteria) if image.id in ids}

    async def ready_after(self, position: ReadyPosition, *, limit: int) -> Sequence[ReadyPosition]:
        positions = sorted(
            (instant, id_) for id_, instant in self._ready_at.items() if id_ in self._images
        )
        return [each for each in positions if each > position][:limit]

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        order = order_of(sort)
        images = sorted(self._matching(criteria), key=lambda image: order(position_of(image, sort)))
        keys = [order(position_of(image, sort)) for image in images]
        start, stop = 0, len(images)
        if window.after is not None:
            start = sum(1 for key in keys if not order(window.after) < key)
        if window.before is not None:
            stop = max(start, sum(1 for key in keys if key < order(window.before)))
        if window.from_end:
            start = max(start, stop - window.size)
        else:
            stop = min(stop, start + window.size)
        return Page(tuple(images[start:stop]), stop < len(images), start > 0)

    async def count(self, criteria: ImageFilter) -> int:
        return len(self._matching(criteria))

    async def search(
        self,
        query: Query,
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool = False,  # noqa: ARG002 - every search is exact
        images: int = 0,
    ) -> Ranking:
        hits = [
            Hit(image.id, _dot(query.embedding, self._embeddings[image.id]))
            for image in self._matching(criteria)
            if image.status is ImageStatus.READY and image.deleted_at is None
        ]
        hits.sort(key=lambda hit: (-hit.score, hit.image_id))
        best = [hit.image_id for hit in hits[: min(images, limit)]]
        return Ranking(
            tuple(hits[:limit]), exact=True, images={id_: self._images[id_] for id_ in best}
        )

    async def explain(
        self,
        query: Query,  # noqa: ARG002 - the plan does not depend on the query
        criteria: ImageFilter,
        *,
        limit: int,
        exact: bool,  # noqa: ARG002 - as above
    ) -> str:
        return f"Compare {len(self._matching(criteria))} images, and keep {limit}"

    async def sample(self, size: int) -> Sequence[Embedding]:
        return list((await self.embeddings(list(self._images))).values())[:size]

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        return {
            id_: self._embeddings[id_]
            for id_, image in (await self.get(ids)).items()
            if image.status is ImageStatus.READY
        }

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        return {
            id_: [_dot(point, embedding) for point in points]
            for id_, embedding in (await self.embeddings(ids)).items()
        }

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        counts = [0] * len(points)
        if not points:
            return counts
        ids = [image.id for image in self.selected(selection)]
        for cosines in (await self.cosines(ids, points)).values():
            counts[cosines.index(max(cosines))] += 1
        return counts

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        images = self.selected(selection)
        return {facet: values_of(images, facet)[:first] for facet, first in most.items()}

    async def known(self) -> Sequence[KnownModel]:
        count = len(await self.embeddings(tuple(self._images)))
        return [KnownModel(self._model.name, self._model.dimensions, ModelState.ACTIVE, count)]

    async def update(self, image_id: UUID, changes: ImageChanges) -> Image:
        if image_id not in self._images:
            raise ImageNotFound(f"There is no image {image_id}; it may have been deleted.")
        values: dict[str, Any] = changes.values
        before = self._images[image_id]
        self._images[image_id] = self._updated(before, replace(before, **values))
        return self._images[image_id]

    async def mark_copied(self, image_id: UUID) -> Image | None:
        if image_id in self._images:
            self._images[image_id] = replace(self._images[image_id], source=None)
        return self._images.get(image_id)

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        added, removed = set(add), set(remove)
        for id_, image in (await self.get(ids)).items():
            tags = tuple(sorted((set(image.tags) | added) - removed))
            self._images[id_] = self._updated(image, replace(image, tags=tags))
        return await self.get(ids)

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        deleted = await self.existing_ids(ids)
        self.deleted |= deleted
        self.missing -= deleted
        for id_ in deleted:
            self._images.pop(id_, None)
            self._deleted.pop(id_, None)
            del self._embeddings[id_]
            self._ready_at.pop(id_, None)
        self.events.emit(*deleted)
        return deleted

    def selected(self, selection: Selection) -> tuple[Image, ...]:
        """Return the images of a selection."""
        if isinstance(selection, ImageFilter):
            return self._matching(selection)
        return tuple(self._images[id_] for id_ in dict.fromkeys(selection) if id_ in self._images)

    def _matching(self, criteria: ImageFilter) -> tuple[Image, ...]:
        images = self._deleted if criteria.deleted else self._images
        return tuple(image for image in images.values() if matches(image, criteria))


def with_edits_of(here: Image, indexed: Image) -> Image:
    """Return an indexed image with what people edited while it was indexed."""
    edited = replace(
        indexed, tags=here.tags, alt_text=here.alt_text, rating=here.rating, filename=here.filename
    )
    return edited.described(indexed.description)


def matches(image: Image, criteria: ImageFilter) -> bool:
    """Return whether all conditions hold."""
    exif = image.exif or Exif()
    size = (image.width, image.height)
    return (
        _in_time(instant_of(exif), criteria.taken_at)
        and _in_time(exif.taken_at_local, criteria.taken_at_local)
        and _in_time(image.created_at, criteria.created_at)
        and _one_of(exif.camera_make, criteria.camera_make_in)
        and _one_of(exif.camera_model, criteria.camera_model_in)
        and (criteria.near is None or _is_near(exif.location, criteria.near))
        and (criteria.within is None or _is_in(exif.location, criteria.within))
        and criteria.has_location in (None, exif.location is not None)
        and (criteria.tags_all is None or set(criteria.tags_all) <= set(image.tags))
        and (criteria.tags_any is None or bool(set(criteria.tags_any) & set(image.tags)))
        and not set(criteria.tags_none or ()) & set(image.tags)
        and (criteria.filename is None or _is_named(image.filename, criteria.filename))
        and (criteria.keywords is None or _has_words(image, criteria.keywords))
        and _one_of(image.content_type, criteria.content_type_in)
        and criteria.orientation in (None, _orientation(*size))
        and _in_range(image.width, criteria.width)
        and _in_range(image.height, criteria.height)
        and _in_range(image.rating, criteria.rating)
        and _one_of(image.status, criteria.status_in)
        and image.id not in (criteria.ids_not_in or ())
    )


def instant_of(exif: Exif) -> datetime | None:
    """Return when the picture was taken; in UTC where the offset is unknown."""
    local = exif.taken_at_local
    return exif.taken_at or (local and local.replace(tzinfo=UTC))


def distance_km(here: GeoPoint, near: GeoNear) -> float:
    """Return the great-circle distance by the haversine formula."""
    lat1, lat2 = math.radians(here.latitude), math.radians(near.latitude)
    half_lat = (lat2 - lat1) / 2
    half_lon = math.radians(near.longitude - here.longitude) / 2
    root = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(root)))


def _in_time(instant: datetime | None, bounds: TimeRange | LocalTimeRange | None) -> bool:
    if bounds is None or (bounds.gte is None and bounds.lt is None):
        return True
    return (
        instant is not None
        and (bounds.gte is None or bounds.gte <= instant)
        and (bounds.lt is None or instant < bounds.lt)
    )


def _in_range(number: int | None, bounds: IntRange | None) -> bool:
    if bounds is None or (bounds.gte is None and bounds.lte is None):
        return True
    return (
        number is not None
        and (bounds.gte is None or bounds.gte <= number)
        and (bounds.lte is None or number <= bounds.lte)
    )


def _one_of(value: object, accepted: tuple[object, ...] | None) -> bool:
    return accepted is None or value in accepted


def _is_near(location: GeoPoint | None, near: GeoNear) -> bool:
    return location is not None and distance_km(location, near) <= max(near.radius_km, MICROMETRE)


def _is_in(location: GeoPoint | None, box: GeoBox) -> bool:
    return (
        location is not None
        and box.south <= location.latitude <= box.north
        and any(west <= location.longitude <= east for west, east in box.longitudes)
    )


def _is_named(filename: str, name: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in name.split("*"))
    return re.fullmatch(pattern, filename, re.DOTALL) is not None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower()))


def _has_words(image: Image, keywords: str) -> bool:
    text = " ".join((image.filename, image.alt_text or "", *image.tags))
    return bool(_words(keywords)) and _words(keywords) <= _words(text)


def _orientation(width: int | None, height: int | None) -> Orientation | None:
    if width is None or height is None:
        return None
    if width == height:
        return Orientation.SQUARE
    return Orientation.LANDSCAPE if width > height else Orientation.PORTRAIT


def _dot(left: Embedding, right: Embedding) -> float:
    return math.fsum(x * y for x, y in zip(left, right, strict=True))
