"""Periodic background tasks of a server. Each runs until it is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.concurrency import periodically

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from domain import UseCases
    from domain.runtime.loaded_models import LoadedModel
    from domain.use_cases.maintenance.empty_trash import EmptyTrash
    from domain.use_cases.maintenance.restore_tasks import RestoreTasks
    from domain.use_cases.maintenance.scrub import Scrub
    from domain.use_cases.maintenance.sweep import Sweep
    from domain.use_cases.maintenance.sweep_targets import SweepTargets
    from domain.use_cases.models.build_index import BuildDueIndexes

PERIOD_SECONDS = 60.0
"""The pause between two runs of a task."""


async def delete_expired_searches(sweep: Sweep, *, every: float = PERIOD_SECONDS) -> None:
    """Delete expired searches, for libraries whose operators never run a sweep."""
    await periodically(
        sweep.delete_expired_searches,
        every=every,
        failure="expired searches could not be deleted",
    )


async def empty_trash(empty: EmptyTrash, *, every: float = PERIOD_SECONDS) -> None:
    """Delete expired images of the trash, for libraries whose operators never run a sweep."""
    await periodically(empty, every=every, failure="the trash could not be emptied")


async def scrub_originals(scrub: Scrub, *, every: float = PERIOD_SECONDS) -> None:
    """Read the originals that are due."""
    await periodically(scrub, every=every, failure="the originals could not be read again")


async def delete_expired_targets(sweep: SweepTargets, *, every: float = PERIOD_SECONDS) -> None:
    """Delete expired upload targets, for libraries whose operators never run a sweep."""
    await periodically(
        sweep.delete_expired,
        every=every,
        failure="expired upload targets could not be deleted",
    )


async def restore_tasks(restore: RestoreTasks, *, every: float = PERIOD_SECONDS) -> None:
    """Add the tasks that PROCESSING images lack, at once and then periodically."""
    await periodically(
        restore, every=every, failure="missing tasks could not be added", at_start=True
    )


async def build_due_indexes(build: BuildDueIndexes, *, every: float = PERIOD_SECONDS) -> None:
    """Build indexes that a first load left out, also where its process was killed."""
    await periodically(build, every=every, failure="an index could not be built")


async def refresh_scans(
    live_models: Callable[[], Sequence[LoadedModel]], wait: Callable[[], Awaitable[object]]
) -> None:
    """Read the parameters of scans again whenever they may have changed, as ``wait`` tells."""

    async def refresh() -> None:
        await wait()
        for loaded in live_models():
            await loaded.refresh_scans()

    await periodically(
        refresh, every=0, failure="the parameters of searches could not be read", at_start=True
    )


async def compare_new_images(
    compared_models: Callable[[], Sequence[UseCases]], *, every: float = PERIOD_SECONDS
) -> None:
    """Hash and compare new images ahead of queries for duplicates.

    ``compared_models`` returns the use cases of the models to compare by, the active model first.
    A model is used only when nothing is left to compare by the models before it.
    """

    async def compare_all() -> None:
        # In batches: a query for duplicates waits for the batch that runs, not for all of them.
        while await _compare_batch(compared_models()):
            pass

    await periodically(
        compare_all, every=every, failure="new images could not be compared", at_start=True
    )


async def render_imported(
    use_cases: Callable[[], UseCases], *, every: float = PERIOD_SECONDS
) -> None:
    """Render LARGE of imported images. ``use_cases`` returns those of the model in use."""

    async def render_all() -> None:
        while await use_cases().render_imported():
            pass

    await periodically(
        render_all, every=every, failure="LARGE of imported images could not be rendered"
    )


async def _compare_batch(models: Sequence[UseCases]) -> bool:
    """Return whether there was anything to do."""
    for use_cases in models:
        # Compares first, so that a failure to hash holds up no comparison.
        if sum([await use_cases.duplicates.update(), await use_cases.hash_images()]):
            return True
    return False
