"""Stores the results of workers in one transaction: images, embeddings and follow-up tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from domain.entities.images import REPLACEABLE, Image, ImageStatus
from domain.entities.work import FoundObject
from infra.postgres.images import FILE_FACTS, ImageRow, description_values, ready_values
from infra.postgres.models.rows import IS_LIVE
from infra.postgres.vectors.insertion import insert_embeddings
from infra.postgres.work.identity import (
    LOCK_IMAGE_BY_DIGEST,
    Identity,
    delete_image,
    point_to,
    settle_sources,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.work import IndexedImage
    from infra.postgres.models.active import ActiveModel

# Locked in the order of the ids, as a deletion does, so that the two never deadlock.
LOCK_IMAGES = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL
    ORDER BY id FOR KEY SHARE
""")
SELECT_READY = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'ready'
""")
INSERT_TASKS_OF_OTHER_MODELS = text(f"""
    INSERT INTO work (model_id, image_id)
    SELECT models.id, image_id FROM models, unnest(CAST(:ids AS uuid[])) AS image_id
    WHERE {IS_LIVE} AND models.id <> :model
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - constants
# Tasks are found by their whole key: there is no index by image alone.
SELECT_IDS_IN_USE = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION SELECT image_id FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True, slots=True)
class Finishing:
    """One transaction that stores the results of one model."""

    connection: AsyncConnection
    model: ActiveModel
    _replaced: list[UUID] = field(default_factory=list)

    async def __call__(
        self, done: Sequence[IndexedImage], leased: Collection[UUID]
    ) -> Sequence[UUID]:
        """Store the results whose lease is still held; return the ids that are not in use."""
        ours = [each for each in done if each.task.image_id in leased]
        existing = await self._lock_existing(
            [each for each in ours if isinstance(each.task.subject, Image)]
        )
        ready = [each for each in existing if _has_status(each, ImageStatus.READY)]
        pending = [each for each in existing if _has_status(each, ImageStatus.PROCESSING)]
        new = await self._make_ready(pending)
        ready += await self._made_ready_by_others(pending, new)
        objects = [each for each in ours if isinstance(each.task.subject, FoundObject)]
        # In the order of the digests, so that two workers never deadlock on them.
        for each in sorted(objects, key=lambda each: each.image.sha256):
            if await self._insert_image_of_object(each):
                new.append(each)
        await self._insert_embeddings([*ready, *new])
        await self.connection.execute(
            INSERT_TASKS_OF_OTHER_MODELS,
            {"model": self.model.id, "ids": [each.image.id for each in new]},
        )
        stored_ids = {each.image.id for each in (*ready, *new)}
        lost = [each.task.image_id for each in done if each.task.image_id not in stored_ids]
        lost += self._replaced
        in_use = set(await self._all(SELECT_IDS_IN_USE, ids=lost)) if lost else set()
        return [image_id for image_id in lost if image_id not in in_use]

    async def recognise(self, found: FoundObject, sha256: str) -> bool:
        """Point an object to the image with these bytes, and return whether they are known."""
        identity = Identity(self.connection, found)
        return not await identity.lock() or await identity.recognise_bytes(sha256, found.tags)

    async def _lock_existing(self, images: Sequence[IndexedImage]) -> list[IndexedImage]:
        """Return the results whose images still exist, and lock these against deletion."""
        if not images:
            return []
        existing = set(await self._all(LOCK_IMAGES, ids=[each.image.id for each in images]))
        return [each for each in images if each.image.id in existing]

    async def _make_ready(self, pending: Sequence[IndexedImage]) -> list[IndexedImage]:
        """Make images READY, and return those that were still PROCESSING."""
        changed = []
        for each in sorted(pending, key=lambda each: each.image.id):
            statement = (
                update(ImageRow)
                .where(
                    col(ImageRow.id) == each.image.id,
                    col(ImageRow.status) == ImageStatus.PROCESSING.value,
                )
                .values(ready_values(each.image, columns=FILE_FACTS))
                .values(description_values(each.image.description))
                .returning(col(ImageRow.id))
            )
            if await self.connection.scalar(statement):
                changed.append(each)
        return changed

    async def _made_ready_by_others(
        self, pending: Sequence[IndexedImage], new: Sequence[IndexedImage]
    ) -> list[IndexedImage]:
        """Return the results that came late: an upload or another model made the images READY.

        Their embeddings are stored all the same, as this model has no other task for them.
        """
        ours = {each.image.id for each in new}
        late = [each for each in pending if each.image.id not in ours]
        ids = [each.image.id for each in late]
        ready = set(await self._all(SELECT_READY, ids=ids)) if ids else set()
        return [each for each in late if each.image.id in ready]

    async def _insert_image_of_object(self, each: IndexedImage) -> bool:
        """Insert the image of an object, and return whether it is new to the library."""
        found = each.task.subject
        assert isinstance(found, FoundObject)  # noqa: S101 - the caller selects these
        identity = Identity(self.connection, found)
        if not await identity.lock():
            return False
        image = each.image
        replaced: Sequence[UUID] = []
        inserted = (
            insert(ImageRow)
            .values(ready_values(image))
            .on_conflict_do_nothing(index_elements=["sha256"])
            .returning(col(ImageRow.id))
        )
        while True:
            if await identity.recognise_bytes(image.sha256, found.tags, also=replaced):
                return False
            replaced = [*replaced, *await self._delete_failed(image.sha256)]
            if await identity.recognise_pixels(image, also=replaced):
                return False
            if await self.connection.scalar(inserted):
                break
            # An image with this digest was inserted in between: recognise it.
        await point_to(self.connection, image.id, [found.id, *replaced])
        if replaced:
            await settle_sources(self.connection, [image.id])
        return True

    async def _delete_failed(self, sha256: str) -> Sequence[UUID]:
        """Delete a FAILED image with this digest, as an upload does, and return its objects."""
        digest = {"sha256": sha256}
        same = (await self.connection.execute(LOCK_IMAGE_BY_DIGEST, digest)).first()
        if same is None or same.status not in REPLACEABLE:
            return []
        self._replaced.append(same.id)
        return await delete_image(self.connection, same.id)

    async def _insert_embeddings(self, results: Sequence[IndexedImage]) -> None:
        if not results:
            return
        ids = [each.image.id for each in results]
        await self.connection.execute(
            *insert_embeddings(self.model, ids, [each.embedding for each in results])
        )

    async def _all(self, statement: Any, **values: object) -> Sequence[UUID]:  # noqa: ANN401 - SQLAlchemy's
        return (await self.connection.scalars(statement, values)).all()


def _has_status(each: IndexedImage, status: ImageStatus) -> bool:
    return isinstance(each.task.subject, Image) and each.task.subject.status is status
