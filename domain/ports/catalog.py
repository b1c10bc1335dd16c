"""The rows of the library: images, their duplicates, and searches that are kept for later pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.facets import Facet, FacetValue, Selection
    from domain.entities.filters import ImageFilter
    from domain.entities.images import Image, ImageChanges, ReadyPosition
    from domain.entities.listing import Page, Sort, Window
    from domain.entities.near_duplicates import Collapse, DuplicatePair
    from domain.entities.places import PlaceCluster, PlaceRequest
    from domain.entities.searches import KeptSearch


class Catalog(Protocol):
    """The facts of every image. Images in the trash are left out unless said otherwise."""

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        """Return the images with these ids, by id. Unknown ids are left out."""

    async def existing_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return which of these images exist, those in the trash included."""

    async def find_by_digest(self, sha256s: Sequence[str]) -> dict[str, Image]:
        """Return the images with these digests, by digest, those in the trash included.

        Unknown digests are left out.
        """

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        """Return a window of the images that match."""

    async def matching(self, ids: Sequence[UUID], criteria: ImageFilter) -> set[UUID]:
        """Return which of the images exist and match."""

    async def count(self, criteria: ImageFilter) -> int:
        """Return how many images match."""

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        """Count the values of facets, and return at most so many of each; None means all.

        Ordered by falling count, ties by code point; months from the newest on.
        """

    async def update(self, image_id: UUID, changes: ImageChanges) -> Image:
        """Change facts of an image, and return it. Raises ImageNotFound."""

    async def mark_copied(self, image_id: UUID) -> Image | None:
        """Note that storage has the original now. Returns None when the image is gone."""

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        """Change the tags of images, and return the images as they are now, by id."""

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        """Delete images for good, with their embeddings, and return the ids that were deleted.

        Images in the trash are deleted as well.
        """


class Places(Protocol):
    """The places where the images of the catalog were taken."""

    async def clusters(self, selection: Selection, request: PlaceRequest) -> Sequence[PlaceCluster]:
        """Return the fullest cells of a grid, ties from south to north, then from west to east."""


class LibraryIdentity(Protocol):
    """The identity of the database, which the marker in the storage repeats."""

    async def library_id(self) -> UUID:
        """Return the id that the database got when it was created."""


class Trash(Protocol):
    """Deleted images that can be restored: with all facts and embeddings, and in no answer.

    Their digests stay taken: no second image has the same bytes. Images whose files are all missing
    are in the trash, too. They come back with a file, and do not expire here.
    """

    async def add(self, ids: Sequence[UUID], at: datetime) -> set[UUID]:
        """Move images into the trash with their embeddings, and return the ids that were moved.

        Their tasks are deleted. An image that is in the trash as missing counts as deleted from now
        on. Unknown ids, and images that were deleted before, are left out.
        """

    async def restore(self, ids: Sequence[UUID], *, are_copied: bool = False) -> dict[UUID, Image]:
        """Move images out of the trash, and return them by id. Other ids are left out.

        A model that has no embedding of an image gets a task. ``are_copied`` notes at the same time
        that storage has the originals now.
        """

    async def delete_expired(self, before: datetime, *, limit: int) -> Sequence[UUID]:
        """Delete up to ``limit`` images for good that were deleted by then; return their ids."""


class Ingestion(Protocol):
    """Adds images together with what makes them findable by the active model."""

    async def add(self, image: Image, embedding: Embedding) -> Image:
        """Insert an image with its embedding, or return the image that has the same sha256.

        The returned image may be in the trash.
        Idempotent by sha256: the caller lost a race when the returned id is another one.
        """

    async def add_pending(self, image: Image) -> Image:
        """Insert an image that is PROCESSING with a task for a worker, both or none.

        As with ``add``, the returned image may be another one with the same sha256.
        """

    async def make_ready(self, image: Image, embedding: Embedding) -> None:
        """Store the facts of a PROCESSING image's file, and its embedding: it becomes READY.

        Does nothing where the image is not PROCESSING any more. A worker that still has a task on
        it changes nothing.
        """


class ReadyFeed(Protocol):
    """The images in the order in which they became READY, for subscribers that lost events."""

    async def ready_after(self, position: ReadyPosition, *, limit: int) -> Sequence[ReadyPosition]:
        """Return the positions that follow ``position``.

        The instant is that of the transaction's begin, so a later one can commit earlier.
        """


class Duplicates(Protocol):
    """Pairs of READY images that are alike: by pixels, or by hash and the model's embedding.

    Pairs stand for groups: all images of a group are connected, if only through others.
    """

    async def update(self) -> int:
        """Compare the oldest images that were not compared yet with all others.

        Some thousand at most: a few seconds' work. Returns their number, 0 when all are compared.
        """

    async def pairs(self, kind: Collapse) -> Sequence[DuplicatePair]:
        """Return the pairs of all compared images; only exact ones for EXACT_COPIES."""

    async def pairs_among(self, ids: Collection[UUID], kind: Collapse) -> Sequence[DuplicatePair]:
        """Return the pairs among at most a thousand images, compared before or not."""

    async def similarities(self, groups: Sequence[Collection[UUID]]) -> list[float]:
        """Return for each group the least cosine similarity of two members; 1 for one member."""

    async def unhashed(self, limit: int, *, after: UUID | None = None) -> Sequence[Image]:
        """Return READY images without a perceptual hash, by ascending id, behind ``after``.

        Also those that a user deleted: while they are in the trash, their files are not imported.
        """

    async def set_hash(
        self, image_id: UUID, *, perceptual_hash: bytes, pixel_sha256: str | None
    ) -> None:
        """Store the hashes of an image, if it still exists. It is compared again."""


class Renditions(Protocol):
    """Which imported images have no LARGE yet."""

    async def without_large(self, limit: int, *, after: UUID | None = None) -> Sequence[Image]:
        """Return READY images whose LARGE is still to be rendered from their source, by id.

        Images in the trash are left out. ``after`` is the last one of the page before.
        """

    async def note_large(self, image_id: UUID) -> None:
        """Note that LARGE is in storage. Does nothing where the image is gone."""


class KeptSearches(Protocol):
    """Searches that are kept for their later pages, shared by all servers of one database."""

    async def save(self, search: KeptSearch) -> None:
        """Store a search."""

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
        """Store a search that was deepened from a known depth, and return whether it is kept.

        Where another depth is stored, as another caller deepened it first, that stays. A search
        that is not stored any more is stored again.
        """

    async def load(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        """Return a search made at ``since`` or later. Raises SearchExpired."""

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        """Delete searches made before then, and all but the ``keep`` newest; return the count."""
