"""Measures how far an index has to be scanned in this library, and stores the parameters."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.embeddings import Query, QueryKind, QueryPart
from domain.entities.scans import (
    DEFAULT_TARGET_RECALL,
    Measurement,
    QueryShape,
    ScanCurve,
    ScanParameters,
    ScanTable,
    Tuning,
    cheapest,
)
from domain.entities.searches import MAX_SEARCH_DEPTH, SEARCH_DEPTHS
from domain.errors import InvalidArgument, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from domain.entities.embeddings import Embedding
    from domain.entities.scans import Trial
    from domain.ports import (
        Clock,
        EmbeddingSpace,
        QuerySamples,
        ScanTables,
        ScanTrials,
        VectorIndex,
    )

_Probe: TypeAlias = "tuple[Query, Trial]"
"""A query with its nearest images."""

EF_SEARCH_GRID = (40, 70, 100, 150, 200, 300, 450, 600, 800, 1_000)
"""The values of ef_search that are tried. The last is the largest that pgvector accepts."""

GRID = tuple(
    ScanParameters(ef_search, iterative)
    for ef_search in EF_SEARCH_GRID
    for iterative in (False, True)
)

SHARES = (1.0, 0.3, 0.1)
"""The selectivities that are measured: without a filter, and with filters that match so many."""

MIN_FILTERED_IMAGES = 10_000
"""Filters that fewer images match are not measured: an exact scan answers them."""

MIN_IMAGES = 2 * MAX_SEARCH_DEPTH
"""A smaller library is always scanned exactly."""

DEFAULT_QUERIES = 200
MIN_QUERIES = 10
"""Of each shape. Half of them choose the parameters, the other half check the choice."""

MIN_SAMPLE = 1_000
"""The pictures are chosen from so many, as a small sample may turn out smaller than asked for."""

KEPT_SHARE = 0.5
"""At most this share of the queries are searches that users have made."""

SEED = 15
"""The same library is measured with the same choice of queries."""


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What was measured, and the table that follows from it."""

    images: int
    target_recall: float
    curves: tuple[ScanCurve, ...]
    table: ScanTable

    @property
    def reaches_target(self) -> bool:
        """Whether every row of the table reaches the target on the queries held out."""
        return all(curve.held_out.recall >= self.target_recall for curve in self.curves)


@dataclass(frozen=True, slots=True)
class _Cell:
    """The searches that rows of the table are for, one for each depth."""

    shape: QueryShape
    share: float


@dataclass(frozen=True, slots=True)
class TuneScans:
    """Measures recall and time of many parameters, and stores those that reach a recall fastest.

    The queries are pictures of the library, kept searches, concepts, and blends of concepts. The
    exact nearest images are the truth. The parameters are chosen on one half of the queries; the
    recall that is reported is that of the other half.
    """

    vectors: VectorIndex
    space: EmbeddingSpace
    samples: QuerySamples
    trials: ScanTrials
    tables: ScanTables
    clock: Clock

    async def __call__(
        self,
        *,
        target_recall: float = DEFAULT_TARGET_RECALL,
        queries: int = DEFAULT_QUERIES,
        store: bool = True,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> TuningReport:
        """Measure, and store the table unless ``store`` is False.

        ``progress`` gets how many queries are done, and how many there are. Raises InvalidArgument,
        and Misconfigured where the library is too small or its index is not built.
        """
        if not 0 < target_recall < 1:
            raise InvalidArgument(("target_recall",), "The recall must be between 0 and 1: .98.")
        if queries < MIN_QUERIES:
            raise InvalidArgument(("queries",), f"At least {MIN_QUERIES} queries are needed.")
        images = await self.trials.count()
        if images < MIN_IMAGES:
            raise Misconfigured(
                f"The library has {images:,} embedded images; below {MIN_IMAGES:,}, every search "
                "is exact, and there is nothing to tune."
            )
        sampled = await self._queries(queries)
        cells = [
            _Cell(shape, share)
            for share in SHARES
            if share == 1 or share * images >= MIN_FILTERED_IMAGES
            for shape in sampled
        ]
        # Each query is scanned exactly once, and at each depth.
        scans = 1 + len(SEARCH_DEPTHS)
        total = scans * sum(len(sampled[cell.shape]) for cell in cells)
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        curves: list[ScanCurve] = []
        for cell in cells:
            curves += await self._curves(cell, sampled[cell.shape], target_recall, count)
        table = ScanTable(
            tuple(curve.row(images) for curve in curves),
            tuning=Tuning(self.clock(), target_recall, images),
        )
        if store:
            await self.tables.save(table)
        return TuningReport(images, target_recall, tuple(curves), table)

    async def reset(self) -> None:
        """Go back to the default table."""
        await self.tables.reset()

    async def _queries(self, number: int) -> Mapping[QueryShape, Sequence[Query]]:
        """Return queries of each shape, in random order."""
        chooser = random.Random(SEED)  # noqa: S311 - no secret
        concepts = list(await self.samples.concepts())
        kept = await self.samples.kept(number * len(QueryShape))
        pictures = await self.vectors.sample(max(number, MIN_SAMPLE))
        chosen = {
            QueryShape.TEXT: _as_queries(_some(chooser, concepts, number), QueryKind.TEXT),
            QueryShape.IMAGE: _as_queries(_some(chooser, pictures, number), QueryKind.IMAGE),
            QueryShape.BLEND: [await self._blend(chooser, concepts) for _ in range(number)],
        }
        for shape, queries in chosen.items():
            own = [query for query in kept if QueryShape.of(query) is shape]
            own = own[: round(KEPT_SHARE * number)]
            queries[: len(own)] = own
            chooser.shuffle(queries)
        return chosen

    async def _blend(self, chooser: random.Random, concepts: Sequence[Embedding]) -> Query:
        """Return a blend of two concepts without a third."""
        parts = tuple(
            QueryPart(embedding, QueryKind.TEXT, weight)
            for embedding, weight in zip(chooser.sample(concepts, 3), (1.0, 1.0, -1.0), strict=True)
        )
        return Query(await self.space.blend(parts), QueryKind.TEXT, parts)

    async def _curves(
        self, cell: _Cell, queries: Sequence[Query], target: float, count: Callable[[], None]
    ) -> list[ScanCurve]:
        """Measure the searches of a cell at each depth."""
        truths = []
        for query in queries:
            truths.append(
                await self.trials.nearest(query, depth=MAX_SEARCH_DEPTH, share=cell.share)
            )
            count()
        return [
            await self._curve(
                cell,
                [
                    (query, replace(truth, ids=truth.ids[:depth]))
                    for query, truth in zip(queries, truths, strict=True)
                ],
                depth,
                target,
                count,
            )
            for depth in SEARCH_DEPTHS
        ]

    async def _curve(
        self,
        cell: _Cell,
        probes: Sequence[_Probe],
        depth: int,
        target: float,
        count: Callable[[], None],
    ) -> ScanCurve:
        half = len(probes) // 2
        measured = await self._try(cell, probes[:half], depth, GRID, count)
        chosen = cheapest(measured, target)
        [held_out] = await self._try(cell, probes[half:], depth, [chosen.parameters], count)
        return ScanCurve(
            cell.shape,
            depth,
            cell.share,
            tuple(measured),
            chosen,
            held_out,
            statistics.median(truth.milliseconds for _, truth in probes),
        )

    async def _try(
        self,
        cell: _Cell,
        probes: Sequence[_Probe],
        depth: int,
        grid: Sequence[ScanParameters],
        count: Callable[[], None],
    ) -> list[Measurement]:
        """Run each query with all parameters of a grid.

        One query after the other, so that other work on the machine slows all parameters alike.
        """
        trials: dict[ScanParameters, list[Trial]] = {parameters: [] for parameters in grid}
        for query, _ in probes:
            for parameters, results in trials.items():
                results.append(
                    await self.trials.scan(query, parameters, depth=depth, share=cell.share)
                )
            count()
        truths = [truth for _, truth in probes]
        return [
            Measurement.of(parameters, results, truths) for parameters, results in trials.items()
        ]


def _as_queries(embeddings: Sequence[Embedding], kind: QueryKind) -> list[Query]:
    return [Query(embedding, kind) for embedding in embeddings]


def _some(
    chooser: random.Random, embeddings: Sequence[Embedding], number: int
) -> Sequence[Embedding]:
    return chooser.sample(embeddings, min(number, len(embeddings)))
