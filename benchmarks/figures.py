"""A figure of the report: the rounds of Pictograph, of the plain pipeline and of the floor."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report, with one value for each round.

    The rounds of the three alternate, so that a ratio compares values of the same minute.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    plain: tuple[float, ...] = ()
    floor: tuple[float, ...] = ()
    limit: str = ""
    """What the floor consists of."""
    more_is_better: bool = False
    """Whether the value is a rate. Times and sizes are better where they are smaller."""

    @property
    def value(self) -> float:
        """The median of Pictograph's rounds."""
        return statistics.median(self.ours)

    @property
    def plain_value(self) -> float | None:
        """The median of the plain pipeline's rounds, if it has this figure."""
        return statistics.median(self.plain) if self.plain else None

    @property
    def floor_value(self) -> float | None:
        """The median of the floor's rounds, if there is a floor."""
        return statistics.median(self.floor) if self.floor else None

    @property
    def gain(self) -> float | None:
        """How many times as good as the plain pipeline: above 1 is better, whatever the unit."""
        return self._times_as_good(self.ours, self.plain)

    @property
    def share_of_floor(self) -> float | None:
        """How much of what the machine allows is reached: 1 is the floor itself."""
        return self._times_as_good(self.ours, self.floor)

    def _times_as_good(self, one: Sequence[float], other: Sequence[float]) -> float | None:
        if not other:
            return None
        better, worse = (one, other) if self.more_is_better else (other, one)
        return median_ratio(better, worse)


def median_ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the ratios of each round, or the ratio of the medians.

    Rounds are compared one by one where both have the same number of them.
    """
    if len(one) == len(other):
        return statistics.median(a / b for a, b in zip(one, other, strict=True))
    return statistics.median(one) / statistics.median(other)
