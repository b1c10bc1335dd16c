"""Keeping what workers made: images, embeddings and the work that follows, all or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgvector import Vector
from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from domain.entities.images import REPLACEABLE, Image, ImageStatus
from domain.entities.work import FoundObject
from infra.postgres.images import FILE_FACTS, ImageRow, image_row
from infra.postgres.models.rows import IS_LIVE
from infra.postgres.tables import EmbeddingRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.work import IndexedImage
    from infra.postgres.models.active import ActiveModel

# In the order of the ids, as deleting locks them, so that the two never wait in a circle.
STAY = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR KEY SHARE
""")
OTHERS = text(f"""
    INSERT INTO work (model_id, image_id)
    SELECT models.id, image_id FROM models, unnest(CAST(:ids AS uuid[])) AS image_id
    WHERE {IS_LIVE} AND models.id <> :model
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - constants
THE_SAME = text("SELECT id, status FROM images WHERE sha256 = :sha256 FOR NO KEY UPDATE")
FOLLOWERS = text("SELECT id FROM objects WHERE image_id = :id")
DELETE = text("DELETE FROM images WHERE id = :id")
FOLLOW = text("UPDATE objects SET image_id = :image_id WHERE id = ANY(CAST(:ids AS uuid[]))")
TAG = text("""
    UPDATE images SET tags = ARRAY(
        SELECT DISTINCT tag COLLATE "C" FROM unnest(tags || CAST(:tags AS text[])) AS tag ORDER BY 1
    ) WHERE id = :id AND NOT tags @> CAST(:tags AS text[])
""")
BECOME = text("""
    UPDATE objects SET image_id = :image_id, error = NULL WHERE id = :id AND version = :version
    RETURNING id
""")
IS_THERE = text("SELECT id FROM objects WHERE id = :id AND version = :version FOR UPDATE")
# Work is looked up by its whole key: it has no index by image alone.
SPOKEN_FOR = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION SELECT image_id FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True, slots=True)
class Finishing:
    """One transaction that keeps what was made by one model."""

    connection: AsyncConnection
    model: ActiveModel
    _replaced: list[UUID] = field(default_factory=list)

    async def __call__(
        self, done: Sequence[IndexedImage], held: Collection[UUID]
    ) -> Sequence[UUID]:
        """Keep all that is ``held`` by this worker, and return the ids that are no image."""
        ours = [each for each in done if each.task.image_id in held]
        here = await self._held_here(
            [each for each in ours if isinstance(each.task.subject, Image)]
        )
        kept = [each for each in here if _is(each, ImageStatus.READY)]
        new = await self._readied([each for each in here if _is(each, ImageStatus.PROCESSING)])
        objects = [each for each in ours if isinstance(each.task.subject, FoundObject)]
        # In one order, so that two workers never wait for each other's digests in a circle.
        for each in sorted(objects, key=lambda each: each.image.sha256):
            if await self._taken_in(each):
                new.append(each)
        await self._embed([*kept, *new])
        await self.connection.execute(
            OTHERS, {"model": self.model.id, "ids": [each.image.id for each in new]}
        )
        kept_ids = {each.image.id for each in (*kept, *new)}
        lost = [each.task.image_id for each in done if each.task.image_id not in kept_ids]
        lost += self._replaced
        spoken_for = set(await self._all(SPOKEN_FOR, ids=lost)) if lost else set()
        return [image_id for image_id in lost if image_id not in spoken_for]

    async def _held_here(self, images: Sequence[IndexedImage]) -> list[IndexedImage]:
        """Return those whose images are still here, and hold these."""
        if not images:
            return []
        here = set(await self._all(STAY, ids=[each.image.id for each in images]))
        return [each for each in images if each.image.id in here]

    async def _readied(self, processing: Sequence[IndexedImage]) -> list[IndexedImage]:
        """Make images READY, and return those that were still PROCESSING."""
        kept = []
        for each in sorted(processing, key=lambda each: each.image.id):
            facts = _row(each.image, columns=FILE_FACTS)
            changed = (
                update(ImageRow)
                .where(
                    col(ImageRow.id) == each.image.id,
                    col(ImageRow.status) == ImageStatus.PROCESSING.value,
                )
                .values(facts)
                .returning(col(ImageRow.id))
            )
            if await self.connection.scalar(changed):
                kept.append(each)
        return kept

    async def _taken_in(self, each: IndexedImage) -> bool:
        """Make an image of an object, and tell whether it is a new one and not one that is here."""
        found = each.task.subject
        assert isinstance(found, FoundObject)  # noqa: S101 - these alone get here
        place = {"id": found.id, "version": found.source.version}
        if await self.connection.scalar(IS_THERE, place) is None:
            return False
        image = each.image
        added = (
            insert(ImageRow)
            .values(_row(image))
            .on_conflict_do_nothing(index_elements=["sha256"])
            .returning(col(ImageRow.id))
        )
        followers: Sequence[UUID] = []
        while await self.connection.scalar(added) is None:
            same = (await self.connection.execute(THE_SAME, {"sha256": image.sha256})).first()
            if same is not None and same.status in REPLACEABLE:
                # As where it is uploaded again: these bytes have got another chance.
                followers = await self._all(FOLLOWERS, id=same.id)
                await self.connection.execute(DELETE, {"id": same.id})
                self._replaced.append(same.id)
            elif same is not None:
                if image.tags:
                    await self.connection.execute(TAG, {"id": same.id, "tags": list(image.tags)})
                await self.connection.execute(BECOME, place | {"image_id": same.id})
                return False
            # Else the one that was here has been deleted in between: there is room again.
        await self.connection.execute(BECOME, place | {"image_id": image.id})
        if followers:
            await self.connection.execute(FOLLOW, {"ids": followers, "image_id": image.id})
        return True

    async def _embed(self, kept: Sequence[IndexedImage]) -> None:
        if not kept:
            return
        rows = [
            {
                "image_id": each.image.id,
                "model_id": self.model.id,
                "embedding": Vector(list(each.embedding)),
            }
            for each in kept
        ]
        statement = insert(EmbeddingRow.metadata.tables["embeddings"]).on_conflict_do_nothing()
        await self.connection.execute(statement, rows)

    async def _all(self, statement: Any, **values: object) -> Sequence[UUID]:  # noqa: ANN401 - SQLAlchemy's
        return (await self.connection.scalars(statement, values)).all()


def _is(each: IndexedImage, status: ImageStatus) -> bool:
    return isinstance(each.task.subject, Image) and each.task.subject.status is status


def _row(image: Image, *, columns: Collection[str] | None = None) -> dict[str, Any]:
    """Return these columns, or all, of an image that is READY from now on."""
    row = image_row(image).model_dump(include=set(columns) if columns else None)
    return row | {"ready_at": text("now()"), "failure_reason": None}
