"""The work queue: tasks to index images and external objects, and their leases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image, Source

MAX_ATTEMPTS = 10
"""How often a task is leased before it becomes a dead letter: it may be the task that crashes the
workers. With the backoff between attempts, tasks survive an outage of half an hour."""


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An external object to index. Its image will have the same ``id``."""

    id: UUID
    source: Source
    byte_size: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A leased task: to index an image or an external object."""

    subject: Image | FoundObject
    lease: UUID
    attempts: int
    """How often the task was leased, this lease included."""

    @property
    def image_id(self) -> UUID:
        """The id of the image, or of the image that the object will become."""
        return self.subject.id


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """The result of a task: the updated image and its embedding."""

    task: Task
    image: Image
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class WorkCounts:
    """The numbers of a model's tasks by state."""

    waiting: int
    leased: int
    failed: int
    """Dead letters, which keep their last error."""
