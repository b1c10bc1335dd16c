"""The time that a run of the benchmarks may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Budget:
    """How many rounds are measured, for how long each, and how long all of it may take."""

    name: str
    seconds: float
    """The longest time of the whole run."""
    rounds: int
    measure_seconds: float
    """How long one value of one round is measured."""
    library_size: int
    uploads: tuple[int, int]
    """The uploads of one client and of eight clients, in each round."""
    imported: int
    """The pictures of one import."""
    growth: tuple[int, ...]
    """The sizes of the synthetic libraries."""
    clock: Callable[[], float] = time.monotonic
    started: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the clock of the whole run."""
        self.started[:] = [self.clock()]

    @property
    def left(self) -> float:
        """How many seconds of the run are left."""
        return self.seconds - (self.clock() - self.started[0])

    def each_round(self, share: float) -> Iterator[int]:
        """Yield the number of each round of a stage, at least the first.

        Another round follows while it should end within ``share`` of the whole time.
        """
        began, longest = self.clock(), 0.0
        for number in range(self.rounds):
            round_began = self.clock()
            yield number
            now = self.clock()
            longest = max(longest, now - round_began)
            if now - began + longest > share * self.seconds:
                return


FULL = Budget(
    name="full",
    seconds=600,
    rounds=3,
    measure_seconds=4.0,
    library_size=25_000,
    uploads=(8, 24),
    imported=32,
    growth=(10_000, 100_000),
)
QUICK = Budget(
    name="quick",
    seconds=120,
    rounds=1,
    measure_seconds=1.5,
    library_size=10_000,
    uploads=(4, 16),
    imported=16,
    growth=(),
)
