"""Work that is written down: what a model has not embedded yet, and who is at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image, Source

ATTEMPTS = 10
"""How often work is taken up before it is set aside: it may be what kills the workers.

With the pauses between them, an outage of half an hour is got over."""


@dataclass(frozen=True, slots=True)
class FoundObject:
    """A picture that was found elsewhere, and becomes an image under ``id`` when it is indexed."""

    id: UUID
    source: Source
    byte_size: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work on lease: make what is missing of this image, or of this object."""

    subject: Image | FoundObject
    lease: UUID
    attempts: int
    """This one included."""

    @property
    def image_id(self) -> UUID:
        """The image that it is, or will be."""
        return self.subject.id


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """A task that is done: the image as it is now, and its embedding."""

    task: Task
    image: Image
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class WorkCounts:
    """How much work of a model there is."""

    waiting: int
    leased: int
    failed: int
    """Given up, with the last error kept."""
