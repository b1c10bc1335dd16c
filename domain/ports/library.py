"""What is known of images, of searches for them, and of who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.embeddings import Embedding, KnownModel, Query, Ranking
    from domain.facets import Facet, FacetValue, Selection
    from domain.filters import ImageFilter, Page, Sort, Window
    from domain.images import Image, ReadyPlace
    from domain.keys import ApiKey
    from domain.likenesses import Collapse, Link
    from domain.searches import KeptSearch


class Catalog(Protocol):
    """The facts of every image, and its embedding by the active model."""

    async def add(self, image: Image, embedding: Embedding) -> Image:
        """Keep an image, unless one with its sha256 is here: return the one that is kept.

        The caller lost a race when the returned id is not the one it gave.
        """

    async def expect(self, image: Image) -> Image:
        """Keep an image that is PROCESSING, and the work on it, or neither.

        As with ``add``, the one that is kept may be another with its sha256.
        """

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        """Return those of the images that are here."""

    async def find(self, sha256s: Sequence[str]) -> dict[str, Image]:
        """Return the images with these digests, by digest."""

    async def matching(self, ids: Sequence[UUID], criteria: ImageFilter) -> set[UUID]:
        """Return those of the images that are here and match."""

    async def ready_after(self, place: ReadyPlace, *, limit: int) -> Sequence[ReadyPlace]:
        """Return where images lie in the order of becoming READY, those next behind ``place``.

        One that became READY in a transaction lies where that began.
        """

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        """Return a stretch of the images that match."""

    async def count(self, criteria: ImageFilter) -> int:
        """Return how many images match."""

    async def search(
        self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool = False
    ) -> Ranking:
        """Return the images that are nearest to the query among those that match."""

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        """Say how such a search is carried out, in the database's words."""

    async def sample(self, size: int) -> Sequence[Embedding]:
        """Return the embeddings of about ``size`` images, chosen by chance, or of all there are."""

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        """Return the embeddings of those of the images that are here and READY."""

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        """Return how similar those of the images that are here and READY are to each point."""

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        """Return for each point how many of the images that are READY lie nearest to it.

        Of points that are equally near, the first counts.
        """

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        """Count the values of facts, and return at most so many of each; None is all.

        By falling count, then by code point; months from the newest on.
        """

    async def models(self) -> Sequence[KnownModel]:
        """Return every model that has or had embeddings here, the oldest first."""

    async def set_alt_text(self, image_id: UUID, alt_text: str | None) -> Image:
        """Change one fact. Raises ImageNotFound."""

    async def keep_original(self, image_id: UUID) -> Image | None:
        """Note that storage has the original now, wherever it lay; None when the image is gone."""

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        """Change the tags of those images that are here, and return them as they are now."""

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        """Remove images with their embeddings, and return the ids that were here."""


class Duplicates(Protocol):
    """Which READY images are alike: by their pixels, or by hash and the active model's embedding.

    Links stand for groups: whoever is alike is linked, if only over others.
    """

    async def update(self) -> int:
        """Compare the images that were not compared yet, the oldest first, with all.

        Some thousand at most: a few seconds' work. Return their number, 0 when all are compared.
        """

    async def links(self, kind: Collapse) -> Sequence[Link]:
        """Return the links between all that were compared; exact ones alone for EXACT_COPIES."""

    async def among(self, ids: Collection[UUID], kind: Collapse) -> Sequence[Link]:
        """Return the links among these, a thousand at most, whether they were compared or not."""

    async def similarities(self, groups: Sequence[Collection[UUID]]) -> list[float]:
        """Return the smallest cosine similarity of any two within each; 1 where there are none."""

    async def unhashed(self, limit: int, *, after: UUID | None = None) -> Sequence[UUID]:
        """Return READY images that have no perceptual hash, the oldest first, behind ``after``."""

    async def keep_hash(
        self, image_id: UUID, *, perceptual_hash: bytes, pixel_sha256: str | None
    ) -> None:
        """Keep what was found out about an image, if it is still here."""


class Searches(Protocol):
    """Searches that are kept for their later pages, by every server of one database."""

    async def keep(self, search: KeptSearch) -> None:
        """Keep a search."""

    async def recall(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        """Return a search made at ``since`` or later. Raises SearchExpired."""

    async def forget(self, before: datetime, *, keep: int) -> int:
        """Remove the searches made before then, and all but the ``keep`` youngest; count them."""


class Keys(Protocol):
    """API keys, kept as digests."""

    async def add(self, key: ApiKey) -> None:
        """Keep a key."""

    async def find(self, sha256: str) -> ApiKey | None:
        """Return the key of this digest, revoked or not."""

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, the oldest first."""

    async def revoke(self, key_id: UUID, at: datetime) -> bool:
        """Revoke a key, and return whether there was one in force."""


class Clock(Protocol):
    """What time it is."""

    def __call__(self) -> datetime:
        """Return the current instant, in UTC."""
