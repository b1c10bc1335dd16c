"""Work in every adapter, with what it is on within reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from domain.entities.images import ImageStatus, Source, uuid7
from domain.entities.work import FoundObject, IndexedImage
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with
from tests.fakes.work_queue import MemoryWorkQueue

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image
    from domain.entities.work import Task
    from tests.postgres_library import ImageLibrary, PostgresLibrary

EAST, NORTH = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
PROCESSING, READY, FAILED = ImageStatus.PROCESSING, ImageStatus.READY, ImageStatus.FAILED


def found(name: str = "a.jpg", *, version: str = "1", tags: tuple[str, ...] = ()) -> FoundObject:
    """An object that was found elsewhere."""
    return FoundObject(uuid7(), Source(f"s3://bucket/{name}", version), 1_000, tags)


def made(task: Task, *, embedding: tuple[float, ...] = EAST, **facts: Any) -> IndexedImage:  # noqa: ANN401 - of as many types as facts
    """What a worker may make of a task."""
    subject = task.subject
    if isinstance(subject, FoundObject):
        facts = {"source": subject.source, "tags": subject.tags} | facts
    else:
        facts = {"sha256": subject.sha256} | facts
    image = image_with(task.image_id, **facts)
    return IndexedImage(task, image, embedding)


def processing(**facts: Any) -> Image:  # noqa: ANN401 - as above
    """An image whose bytes are here, and nothing else."""
    return image_with(status=PROCESSING, width=None, height=None, **facts)


@dataclass
class MemoryDesk:
    """Work in memory."""

    catalog: MemoryCatalog
    work: MemoryWorkQueue = field(init=False)

    def __post_init__(self) -> None:
        self.work = MemoryWorkQueue(self.catalog)

    async def add(self, subject: Image | FoundObject) -> None:
        """Let there be work on an object, or on an image of the catalog."""
        self.work.add(subject)

    async def became(self, found: FoundObject) -> UUID | str | None:
        """Return the image that an object became, or why it did not."""
        return self.work.became.get(found.id) or self.work.refused.get(found.id)

    async def forget(self, found: FoundObject) -> None:
        """Let there never have been the object."""
        del self.work.objects[found.id]


@dataclass
class PostgresDesk:
    """Work on PostgreSQL."""

    catalog: PostgresLibrary
    work: PostgresWorkQueue = field(init=False)

    def __post_init__(self) -> None:
        assert self.catalog.model
        self.work = PostgresWorkQueue(self.catalog.engine, self.catalog.model)

    async def add(self, subject: Image | FoundObject) -> None:
        """Let there be work on an object, or on an image of the catalog."""
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
            model=self.work.model.id,
            id=subject.id,
        )

    async def became(self, found: FoundObject) -> UUID | str | None:
        """Return the image that an object became, or why it did not."""
        [row] = await self.run("SELECT image_id, error FROM objects WHERE id = :id", id=found.id)
        return row.image_id or row.error  # type: ignore[no-any-return]  # a row

    async def forget(self, found: FoundObject) -> None:
        """Let there never have been the object."""
        await self.run("DELETE FROM objects WHERE id = :id", id=found.id)

    async def run(self, statement: str, **values: object) -> list[Any]:
        """Run a statement and return the rows."""
        async with self.catalog.engine.begin() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []


Desk = MemoryDesk | PostgresDesk


def desk_over(catalog: ImageLibrary) -> Desk:
    """Return the work of a catalog's model."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryDesk(catalog)
    return PostgresDesk(catalog)  # type: ignore[arg-type]  # there are two
