"""The models of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import KnownModel, MissingEmbeddings, ModelStatus, StoredModel

T = TypeVar("T")


class KnownModels(Protocol):
    """The models that have or had embeddings in a library."""

    async def known(self) -> Sequence[KnownModel]:
        """Return every model with the number of its embeddings, oldest first."""


class Models(Protocol):
    """The models that a library stores, in whatever state."""

    async def list(self) -> Sequence[StoredModel]:
        """Return every model, oldest first."""

    async def unindexed(self) -> Sequence[StoredModel]:
        """Return the live models whose index is not built, oldest first."""

    async def statuses(self) -> Sequence[ModelStatus]:
        """Return the progress of every model, oldest first."""


class ModelChanges(Protocol):
    """Locks and long-running steps of a change. The rules of a change are the caller's."""

    async def run(self, change: Callable[[ModelTransaction], Awaitable[T]]) -> T:
        """Run ``change`` in one transaction, under the lock that serializes changes of models.

        Commits its result, or rolls back if it raises. ``change`` is run again from the start where
        tables are locked by others, or the transaction conflicts with others. Raises Misconfigured
        if the tables stay locked, and Overloaded if the conflicts go on.
        """

    def backfill(self, model_id: int) -> AbstractAsyncContextManager[Backfill | None]:
        """Lock the end of a model's backfill; None if another process holds the lock.

        The lock ends with the block, or with the process.
        """

    async def enqueue_missing(self, model_id: int) -> None:
        """Add a task for each READY image that has neither an embedding nor a task. Idempotent.

        It scans all images, so it takes no lock.
        """

    async def delete_derived(self, model_id: int) -> None:
        """Delete everything that was computed from the embeddings of a model, in small steps."""


class ModelTransaction(Protocol):
    """One change of the models. No other change runs until it ends."""

    async def list(self) -> Sequence[StoredModel]:
        """Return every model, oldest first."""

    async def register(self, model: EmbeddingModel, source: str) -> StoredModel:
        """Return the stored model of this name and dimensions, with ``source`` as its new source.

        One that is not stored yet is inserted as RETIRED.
        """

    async def save(self, model: StoredModel) -> None:
        """Store the state and the activation time of a model. At most one may be ACTIVE."""

    async def missing(self, model_id: int, *, ready_for: timedelta) -> MissingEmbeddings:
        """Count the READY images that a model has not embedded.

        Images that became READY less than ``ready_for`` ago are not counted as waiting.
        """

    async def enqueue_missing(self, model_id: int) -> None:
        """Add a task for each READY image that has neither an embedding nor a task. Idempotent."""

    async def reassign(self, old_id: int, new_id: int) -> None:
        """Move the tasks on what is not READY yet to another model, and delete the other tasks.

        Live models have tasks of their own on READY images.
        """

    async def has_embeddings(self, model_id: int) -> bool:
        """Return whether the model has embedded an image."""

    async def create_embeddings(self, model: StoredModel, *, with_index: bool = False) -> None:
        """Create the empty table of a model's embeddings. Idempotent.

        The index is for a library without images. Else it is built at the end of the backfill.
        """

    async def delete_embeddings(self, model: StoredModel) -> None:
        """Delete the embeddings of a model and everything that was computed from them."""


class Backfill(Protocol):
    """The end of a model's backfill, locked against other processes."""

    async def has_waiting(self, *, ready_for: timedelta) -> bool:
        """Return whether tasks are left on images that became READY at least ``ready_for`` ago.

        Dead letters do not count.
        """

    async def enqueue_missing(self) -> None:
        """Add a task for each READY image that has neither an embedding nor a task. Idempotent."""

    async def build_index(self) -> None:
        """Build the index of the model's embeddings, unless it is complete."""
