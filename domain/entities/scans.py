"""Parameters of scans of an approximate index, chosen from a table, and how the table is measured.

The parameters depend on the shape of the query, on how many hits are wanted, on how many images
match, and on the size of the library.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.entities.embeddings import QueryKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.embeddings import Query

RECALL_AT = 20
"""Recall is measured on so many of the nearest images: a page of results."""

DEFAULT_TARGET_RECALL = 0.98

TIME_TOLERANCE = 0.05
"""Times that differ by less count as equal: the narrower scan is chosen."""

ADVANTAGE = 2.0
"""An index scan is chosen where it is expected to take at most the inverse of this share of the
time of an exact scan, which finds everything."""

GROWTH_BEFORE_STALE = 2.0
"""A table that was measured on a library is out of date once the library has grown so much."""


class QueryShape(StrEnum):
    """What decides how far an index scan has to look."""

    TEXT = "text"
    IMAGE = "image"
    BLEND = "blend"

    @classmethod
    def of(cls, query: Query) -> QueryShape:
        """Return the shape of a query."""
        if query.blended:
            return cls.BLEND
        return cls.IMAGE if query.kind is QueryKind.IMAGE else cls.TEXT


@dataclass(frozen=True, slots=True)
class ScanParameters:
    """The parameters of one scan of an HNSW index."""

    ef_search: int
    """How many candidates the scan keeps in its queue."""
    iterative: bool
    """Whether the scan continues with as many more once it has returned them all."""


@dataclass(frozen=True, slots=True)
class ScanRow:
    """A row of the table: for which searches the parameters are, and what was measured."""

    shape: QueryShape
    depth: int
    """Up to how many hits."""
    selectivity: float
    """At least which share of the images matches, 0 to 1."""
    images: int
    """Up to how many images the library has. The largest is also for larger libraries."""
    parameters: ScanParameters
    exact_below: int
    """An exact scan is faster, or nearly as fast, where fewer images match."""
    recall: float
    """recall@RECALL_AT of queries that were not used to choose the parameters."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """When a table was measured, and for what."""

    tuned_at: datetime
    target_recall: float
    images: int
    """How many images the library had."""

    def is_stale(self, images: int) -> bool:
        """Return whether a library has grown so much that it should be tuned again."""
        return images >= GROWTH_BEFORE_STALE * self.images


@dataclass(frozen=True, slots=True)
class ScanTable:
    """The parameters of all searches of one model."""

    rows: tuple[ScanRow, ...]
    exact_below: int = 0
    """Where fewer images match, every search is exact, whatever the row says."""
    tuning: Tuning | None = None
    """None: the table is the default one."""

    def row(self, shape: QueryShape, *, depth: int, selectivity: float, images: int) -> ScanRow:
        """Return the row for a search: the narrowest that covers it, or else the widest.

        A selectivity below those of all rows gets the lowest; the caller widens its parameters.
        """
        rows = [row for row in self.rows if row.shape is shape]
        rows = _covering(rows, [row.images for row in rows], images)
        rows = _covering(rows, [row.depth for row in rows], depth)
        enough = [row for row in rows if row.selectivity <= selectivity]
        if enough:
            return max(enough, key=lambda row: row.selectivity)
        return min(rows, key=lambda row: row.selectivity)


def _covering(rows: list[ScanRow], bounds: list[int], value: int) -> list[ScanRow]:
    """Return the rows with the least bound that is not below the value, or with the greatest."""
    bound = min((each for each in bounds if each >= value), default=max(bounds))
    return [row for row, each in zip(rows, bounds, strict=True) if each == bound]


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one scan that was timed: the hits, the nearest first."""

    ids: tuple[UUID, ...]
    milliseconds: float

    def recall(self, truth: Trial, *, at: int) -> float:
        """Return the share of the nearest ``at`` that the scan found among its first ``at``."""
        nearest = set(truth.ids[:at])
        return len(nearest.intersection(self.ids[:at])) / len(nearest) if nearest else 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What some queries reached with the same parameters."""

    parameters: ScanParameters
    recall: float
    """recall@RECALL_AT, the mean of the queries."""
    standard_error: float
    """Of that mean."""
    deep_recall: float
    """The recall of all hits that were wanted."""
    milliseconds: float
    """The median."""
    is_full: bool
    """Whether each scan found as many hits as there are."""

    @classmethod
    def of(
        cls, parameters: ScanParameters, trials: Sequence[Trial], truths: Sequence[Trial]
    ) -> Measurement:
        """Summarise trials, each with the result of an exact scan."""
        pairs = list(zip(trials, truths, strict=True))
        recalls = [trial.recall(truth, at=RECALL_AT) for trial, truth in pairs]
        deviation = statistics.stdev(recalls) if len(recalls) > 1 else 0.0
        return cls(
            parameters,
            statistics.fmean(recalls),
            deviation / math.sqrt(len(recalls)),
            statistics.fmean(trial.recall(truth, at=len(truth.ids)) for trial, truth in pairs),
            statistics.median(trial.milliseconds for trial in trials),
            all(len(trial.ids) >= len(truth.ids) for trial, truth in pairs),
        )

    def reaches(self, target: float) -> bool:
        """Return whether the recall is above the target by a standard error, on full results.

        Of many parameters, the cheapest that reached the target by chance would be chosen without
        that margin, and other queries would miss the target.
        """
        return self.is_full and self.recall - self.standard_error >= target


@dataclass(frozen=True, slots=True)
class ScanCurve:
    """All parameters that were measured for one row of the table, and the choice among them."""

    shape: QueryShape
    depth: int
    selectivity: float
    measured: tuple[Measurement, ...]
    """On the queries that the parameters were chosen on, the narrowest scan first."""
    chosen: Measurement
    """One of them."""
    held_out: Measurement
    """The chosen parameters on the other queries."""
    exact_milliseconds: float
    """The median of an exact scan."""

    def row(self, images: int) -> ScanRow:
        """Return the row of the table, measured on a library of so many images."""
        compared_per_millisecond = self.selectivity * images / self.exact_milliseconds
        exact_below = ADVANTAGE * self.held_out.milliseconds * compared_per_millisecond
        return ScanRow(
            self.shape,
            self.depth,
            self.selectivity,
            images,
            self.chosen.parameters,
            math.ceil(exact_below),
            self.held_out.recall,
        )


def cheapest(measured: Sequence[Measurement], target: float) -> Measurement:
    """Return the fastest parameters that reach a recall, or else those with the best recall.

    Among parameters that take about the same time, the narrowest scan is the most predictable.
    """
    reaching = [each for each in measured if each.reaches(target)]
    if not reaching:
        return max(measured, key=lambda each: (each.is_full, each.recall, -each.milliseconds))
    bound = (1 + TIME_TOLERANCE) * min(each.milliseconds for each in reaching)
    fast = [each for each in reaching if each.milliseconds <= bound]
    return min(fast, key=lambda each: (each.parameters.ef_search, each.parameters.iterative))
