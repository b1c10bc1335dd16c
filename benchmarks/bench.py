"""What the stages of a run share: the budget, the folders, and how they show what they do."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.progress import Progress, TaskID

    from benchmarks.budget import Budget

T = TypeVar("T")

CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks."""

    budget: Budget
    folder: Path
    """A temporary folder for databases and files."""
    checkpoint: Path
    photos: Sequence[Path]
    progress: Progress
    bar: TaskID
    skipped: list[str] = field(default_factory=list)
    """What was not measured, because the time was over."""

    def has_time_for(self, stage: str) -> bool:
        """Whether a stage may begin. It is noted as skipped otherwise."""
        if self.budget.left > 0:
            return True
        self.skipped.append(stage)
        return False

    def show(self, step: str) -> None:
        """Show what is measured now, and how much of the time is over."""
        console = self.progress.console
        if not console.is_terminal:
            console.print(step, highlight=False)
        over = self.budget.seconds - self.budget.left
        self.progress.update(self.bar, description=step, completed=min(over, self.budget.seconds))


@dataclass(frozen=True, slots=True)
class Rounds:
    """The values of Pictograph, the plain pipeline and the floor, a value for each round."""

    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)


def in_turn(systems: Sequence[T], number: int) -> Iterable[T]:
    """Return the systems in the order of a round: every second round is reversed.

    So neither of two is always measured while what precedes it still has an effect.
    """
    return reversed(systems) if number % 2 else systems


def split(items: Sequence[T], sizes: Iterable[int]) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of the items, of these sizes."""
    start = 0
    for size in sizes:
        yield items[start : start + size]
        start += size


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)
