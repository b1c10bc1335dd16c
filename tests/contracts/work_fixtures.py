"""Work queues of every adapter, with access to their rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from domain.entities.images import ImageStatus, Source, uuid7
from domain.entities.work import FoundObject, IndexedImage
from infra.postgres.catalog.trash import move_in
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with
from tests.fakes.trash import MemoryTrash
from tests.fakes.work_queue import MemoryWorkQueue
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.images import Image
    from domain.entities.work import Task
    from tests.postgres_library import ImageLibrary

EAST, NORTH = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
PROCESSING, READY, FAILED = ImageStatus.PROCESSING, ImageStatus.READY, ImageStatus.FAILED


def found_object(
    name: str = "a.jpg", *, version: str = "1", tags: tuple[str, ...] = ()
) -> FoundObject:
    """Return an object in a bucket."""
    return FoundObject(uuid7(), Source(f"s3://bucket/{name}", version), 1_000, tags)


def indexed(task: Task, *, embedding: tuple[float, ...] = EAST, **facts: Any) -> IndexedImage:  # noqa: ANN401 - facts have many types
    """Return a worker's result of a task."""
    subject = task.subject
    if isinstance(subject, FoundObject):
        facts = {"source": subject.source, "tags": subject.tags} | facts
    else:
        facts = {"sha256": subject.sha256} | facts
    image = image_with(task.image_id, **facts)
    return IndexedImage(task, image, embedding)


def pending_image(**facts: Any) -> Image:  # noqa: ANN401 - facts have many types
    """Return a PROCESSING image, as an upload adds it."""
    return image_with(status=PROCESSING, width=None, height=None, **facts)


@dataclass
class MemoryWorkFixture:
    """A work queue in memory."""

    catalog: MemoryCatalog
    queue: MemoryWorkQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = MemoryWorkQueue(self.catalog)

    async def add(self, subject: Image | FoundObject) -> None:
        """Insert a task on an image of the catalog, or an object with its task."""
        self.queue.add(subject)

    async def became(self, found_object: FoundObject) -> UUID | str | None:
        """Return the id of an object's image, or the reason why it was refused."""
        return self.queue.became.get(found_object.id) or self.queue.refused.get(found_object.id)

    async def delete_object(self, found_object: FoundObject) -> None:
        """Delete the object, and keep its task."""
        del self.queue.objects[found_object.id]


@dataclass
class PostgresWorkFixture:
    """A work queue on PostgreSQL."""

    catalog: PostgresLibrary
    queue: PostgresWorkQueue = field(init=False)

    def __post_init__(self) -> None:
        assert self.catalog.model
        self.queue = PostgresWorkQueue(self.catalog.engine, self.catalog.model)

    async def add(self, subject: Image | FoundObject) -> None:
        """Insert a task on an image of the catalog, or an object with its task."""
        if isinstance(subject, FoundObject):
            await self.run(
                "INSERT INTO objects (id, location, version, byte_size, tags)"
                " VALUES (:id, :location, :version, :size, :tags)",
                id=subject.id,
                location=subject.source.location,
                version=subject.source.version,
                size=subject.byte_size,
                tags=list(subject.tags),
            )
        await self.run(
            "INSERT INTO work (model_id, image_id) VALUES (:model, :id)",
            model=self.queue.model.id,
            id=subject.id,
        )

    async def became(self, found_object: FoundObject) -> UUID | str | None:
        """Return the id of an object's image, or the reason why it was refused."""
        [row] = await self.run(
            "SELECT image_id, error FROM objects WHERE id = :id", id=found_object.id
        )
        return row.image_id or row.error  # type: ignore[no-any-return]  # a row

    async def delete_object(self, found_object: FoundObject) -> None:
        """Delete the object, and keep its task."""
        await self.run("DELETE FROM objects WHERE id = :id", id=found_object.id)

    async def run(self, statement: str, **values: object) -> list[Any]:
        """Execute a statement and return the rows."""
        async with self.catalog.engine.begin() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []


async def move_in_as_missing(catalog: ImageLibrary, ids: Sequence[UUID], at: datetime) -> None:
    """Move images into the trash as an import does with those whose files are all missing."""
    if isinstance(catalog, MemoryCatalog):
        await MemoryTrash(catalog).add_missing(ids, at)
        return
    assert isinstance(catalog, PostgresLibrary)
    async with catalog.engine.begin() as connection:
        await move_in(connection, ids, at, is_missing=True)


WorkFixture = MemoryWorkFixture | PostgresWorkFixture


def work_fixture_over(catalog: ImageLibrary) -> WorkFixture:
    """Return the work queue of the catalog's model."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryWorkFixture(catalog)
    return PostgresWorkFixture(catalog)  # type: ignore[arg-type]  # the only other adapter
