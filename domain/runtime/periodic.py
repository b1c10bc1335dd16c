"""Tasks that a server repeats in the background, each until it is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.concurrency import periodically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from domain import UseCases
    from domain.use_cases.maintenance.sweep import Sweep
    from domain.use_cases.maintenance.sweep_targets import SweepTargets

PERIOD_SECONDS = 60.0
"""How long a task waits between two runs."""


async def delete_expired_searches(sweep: Sweep, *, every: float = PERIOD_SECONDS) -> None:
    """Delete expired searches, for libraries whose operators never run a sweep."""
    await periodically(
        sweep.delete_expired_searches,
        every=every,
        failure="expired searches could not be deleted",
    )


async def delete_expired_targets(sweep: SweepTargets, *, every: float = PERIOD_SECONDS) -> None:
    """Delete expired upload targets, for libraries whose operators never run a sweep."""
    await periodically(
        sweep.delete_expired,
        every=every,
        failure="expired upload targets could not be deleted",
    )


async def compare_new_images(
    prepared: Callable[[], Sequence[UseCases]], *, every: float = PERIOD_SECONDS
) -> None:
    """Hash and compare new images, so that a query for duplicates waits little.

    ``prepared`` returns the use cases of each model that is worth looking after, the active one
    first. A model is compared only when nothing is left to compare for those before it.
    """

    async def compare_all() -> None:
        # Batch by batch: in one run, a query for duplicates would wait until everything is done.
        while await _compare_batch(prepared()):
            pass

    await periodically(
        compare_all, every=every, failure="duplicates could not be looked for", at_start=True
    )


async def _compare_batch(prepared: Sequence[UseCases]) -> bool:
    """Return whether anything was left to do."""
    for use_cases in prepared:
        if sum([await use_cases.hash_images(), await use_cases.duplicates.update()]):
            return True
    return False
