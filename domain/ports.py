"""What the domain needs from the world. Adapters match these by shape and never inherit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from uuid import UUID

    from domain.embeddings import Embedding, EmbeddingModel, KnownModel, Part, Query, Ranking
    from domain.facets import Facet, FacetValue, Selection
    from domain.filters import ImageFilter, Page, Sort, Window
    from domain.images import Image, Picture, Pixels, ReadyPlace, Source
    from domain.keys import ApiKey
    from domain.likenesses import Collapse, Link
    from domain.models import LiveModel
    from domain.objects import KnownObject, ListedObject, RefusedObject, Stretch
    from domain.searches import KeptSearch
    from domain.storage import Blob, ByteRange, StoredObject
    from domain.upload_targets import Slot, StagedFile, UploadTarget
    from domain.work import FoundObject, Indexed, Task, WorkCounts


class Encoder(Protocol):
    """A dual encoder of texts and pictures. Calls that run at once share forward passes."""

    @property
    def model(self) -> EmbeddingModel:
        """The model that encodes."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Embed each text. Raises Overloaded when too much waits already."""

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """Embed each picture. Raises Overloaded when too much waits already."""


class Space(Protocol):
    """Arithmetic over the embeddings of one model, and what is there by chance."""

    async def margins(
        self, parts: Sequence[Part], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        """Return, for each image that is here, how far it stands out for each part of a query.

        For a text, against everyday concepts; for a picture, against the library. In logits.
        """

    async def blend(self, parts: Sequence[Part]) -> Embedding:
        """Return one point for all parts: what is wanted, without what is not."""


class Imaging(Protocol):
    """Everything about pictures as files. Each call raises UploadRefusal for bad files."""

    async def develop(self, data: bytes) -> Picture:
        """Recognise, bound and decode a file once, and make all that is kept of it."""

    async def decode(self, data: bytes) -> Pixels:
        """Recognise, bound and decode a file no further than an encoder needs."""

    async def inspect(self, data: bytes) -> str:
        """Recognise and bound a file by its header, and return its media type."""


class Storage(Protocol):
    """Bytes under keys of the shape ``<image id>/<variant>``."""

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep ``data``; a reader sees all of it or none."""

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end."""

    async def delete(self, keys: Iterable[str]) -> None:
        """Forget these. What is not there is forgotten already."""

    def list(self) -> AsyncIterator[StoredObject]:
        """Yield everything that is kept, in no order."""


class Staging(Protocol):
    """Where clients put the bytes of uploads themselves, before they become images."""

    async def slot(self, target: UploadTarget) -> Slot:
        """Say how to send a file of the target's size and type there, until it expires."""

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        """Return what was sent, ``limit`` bytes of it at most. Raises BytesMissing."""

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        """Forget what was sent. What is not there is forgotten already."""

    def list(self) -> AsyncIterator[StagedFile]:
        """Yield everything that was sent and is still there, in no order."""


class Reception(Protocol):
    """A staging area whose bytes come through this server."""

    @property
    def secret(self) -> bytes:
        """What its slots are signed with: the same for every server of one library."""

    async def write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        """Keep what comes; a reader sees all of it or none."""


class Targets(Protocol):
    """What is known of the files that clients put into place themselves."""

    async def keep(self, targets: Sequence[UploadTarget]) -> None:
        """Keep targets. One whose image is gone meanwhile is kept without."""

    async def find(self, target_id: UUID) -> UploadTarget | None:
        """Return a target, expired or not."""

    async def complete(self, target_id: UUID, image_id: UUID, *, is_duplicate: bool) -> None:
        """Note what a target has become, if nothing was noted, and both are still here.

        A target whose image is deleted later goes with it.
        """

    async def forget(self, expired_by: datetime) -> list[UUID]:
        """Remove the targets that have expired by then, and return their ids."""


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

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        """Change the tags of those images that are here, and return them as they are now."""

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        """Remove images with their embeddings, and return the ids that were here."""


class Models(Protocol):
    """The models of the library, whoever changes them."""

    async def live(self) -> Sequence[LiveModel]:
        """Return the models that are to know every image, the oldest first. One may be ACTIVE."""

    async def settle(self, model_id: int) -> bool:
        """Finish a BACKFILLING model if nothing is left to do, and tell whether it is READY."""


class Work(Protocol):
    """What one model has not embedded yet. A lease that has run out is anybody's again."""

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        """Take up to ``limit`` tasks that nobody else has, those on new pictures first.

        What was taken ATTEMPTS times and never done is set aside in place of being taken.
        """

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        """Keep tasks for so much longer from now on."""

    async def finish(self, done: Sequence[Indexed]) -> Sequence[UUID]:
        """Keep what was made, all or none, with the work of the other models on what is new.

        Returns those of the ids that became no image: deleted meanwhile, their lease lost, or the
        same bytes here already. What storage has of them is nobody's.
        """

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        """Let others take them again, but not before so many seconds have passed."""

    async def set_aside(self, task: Task, reason: str) -> None:
        """Give a task up: its image has FAILED, and its object is no picture, for this reason."""

    async def counts(self) -> WorkCounts:
        """Say how much there is."""


class Gaps(Protocol):
    """Images that nobody works on, though they are not what they should be."""

    async def unembedded(self) -> Sequence[UUID]:
        """Return the images that a live model lacks, and that nobody is going to give it.

        Those that are PROCESSING and on which there is no work are among them.
        """

    async def close(self) -> int:
        """Write down work on all of these, and return how much that is."""

    async def redo(self, ids: Sequence[UUID]) -> int:
        """Have READY images made anew from their originals; they can be found meanwhile."""

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        """Let images have FAILED for this reason, so that nothing finds them any more."""


class Sources(Protocol):
    """Places outside of the library where pictures lie. Nothing is ever changed there."""

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing where it is gone or another version.

        Raises InvalidContent where it may not be read, and ValueError for a range past the end.
        """


class Places(Protocol):
    """Folders and buckets that are looked through for pictures; the library's own are left out."""

    async def split(self, root: str) -> Sequence[Stretch]:
        """Divide what lies below a root into stretches that can be listed at once, in order.

        Raises Misconfigured where the root cannot be listed, or is the library's own.
        """

    def list(self, root: str, stretch: Stretch) -> AsyncIterator[ListedObject]:
        """Yield what lies below a root and in a stretch of it, by code point of the location.

        Raises Misconfigured, or whatever an outage raises, in place of leaving anything out.
        """

    async def look(self, location: str) -> ListedObject:
        """Return what lies at a location. Raises BytesMissing."""


class Objects(Protocol):
    """What was found in places outside of the library, and what became of it."""

    async def known(self, stretch: Stretch, *, after: str, limit: int) -> Sequence[KnownObject]:
        """Return the first objects of a stretch behind ``after``, by code point of the location."""

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        """Return those of the objects that are known, by location."""

    async def write_down(
        self, found: Sequence[FoundObject], *, in_place_of: Sequence[UUID] = ()
    ) -> Sequence[UUID]:
        """Keep objects with the work on them by the active model, all or none.

        What is known at their locations stays, but for the objects ``in_place_of`` which they
        are, which are forgotten. Returns the ids of the images that are deleted with these.
        """

    async def forget(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Forget objects with the work on them, and return the ids of the images deleted with them.

        An image whose source an object was goes with it. Where another object has the same bytes,
        that becomes its source, and it stays.
        """

    async def count_waiting(self, stretch: Stretch) -> int:
        """Return how many objects are still to be indexed."""

    async def refused(self, stretch: Stretch, *, limit: int) -> tuple[int, Sequence[RefusedObject]]:
        """Return how many objects are refused, and the first of them."""


class Events(Protocol):
    """What happens in the library, whichever process does it."""

    def images(self) -> AbstractAsyncContextManager[AsyncIterator[Sequence[UUID] | None]]:
        """Listen for the ids of images whose status changes, or which come or go.

        From the moment it is entered nothing is missed, but where the connection was lost or
        whoever listens was too slow: then None comes, and they have to look for themselves. What
        comes is all that happened since they last asked. Raises Overloaded where too many listen.
        """


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
