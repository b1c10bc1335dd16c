"""Measures the default parameters of index scans: `pictograph tune` on recorded vectors of CLIP.

``python -m benchmarks.tune`` loads the recorded vectors into an embedded server, tunes with
recorded texts and pictures, which are not in the library, and prints the table of
``infra/postgres/vectors/default_scans.py``. Needs ``../shared/data/real-clip``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks import real_clip
from benchmarks.bulk import load
from domain.entities.scans import DEFAULT_TARGET_RECALL
from domain.use_cases.search.tune import TuneScans
from infra.clip.embedding_space import NumpyEmbeddingSpace
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade
from infra.postgres.vectors.scan_tables import PostgresScanTables
from infra.postgres.vectors.trials import PostgresScanTrials
from pictograph.cli.tuning_tables import curve_tables, scan_table
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from domain.entities.embeddings import Embedding, Query
    from domain.use_cases.search.tune import TuningReport

QUERIES = 1_000
SEED = 1


@dataclass(frozen=True, slots=True)
class RecordedSamples:
    """Recorded queries. Pictures count as kept searches: none of them is in the library."""

    pictures: Sequence[Query]
    texts: Sequence[Query]

    async def kept(self, limit: int) -> Sequence[Query]:
        """Return pictures."""
        return self.pictures[:limit]

    async def concepts(self) -> Sequence[Embedding]:
        """Return texts: nouns, and captions."""
        return [query.embedding for query in self.texts]


async def measure(folder: Path, console: Console, *, target: float, queries: int) -> TuningReport:
    """Load the vectors, unless the folder has them, and measure."""
    recorded = real_clip.large_library()
    with console.status("loading") as status:
        async with embedded_postgres(folder / "postgres") as url, open_engine(url) as engine:
            await upgrade(engine)
            library = await PostgresLibrary.open(engine, real_clip.MODEL)
            if not await library.sample(1):
                library = await load(engine, recorded.vectors, status.update)

            async def bank() -> NDArray[np.float32]:
                return real_clip.nouns()

            pictures = list(recorded.images.queries)
            random.Random(SEED).shuffle(pictures)
            tune = TuneScans(
                library,
                NumpyEmbeddingSpace(library, bank, model=real_clip.MODEL),
                RecordedSamples(pictures, recorded.texts.queries),
                PostgresScanTrials(engine, library.model),
                PostgresScanTables(engine, library.model),
                lambda: datetime.now(UTC),
            )
            return await tune(
                target_recall=target,
                queries=queries,
                store=False,
                progress=lambda done, total: status.update(f"{done:,} of {total:,} queries"),
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune", description=__doc__)
    parser.add_argument("--recall", type=float, default=DEFAULT_TARGET_RECALL)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--folder", type=Path, help="Keep the database, and use it again.")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = options.folder or Path(temporary)
        report = asyncio.run(
            measure(folder, console, target=options.recall, queries=options.queries)
        )
    for table in curve_tables(report):
        console.print(table)
    console.print(scan_table(report))
    for row in report.table.rows:
        console.print(row)


if __name__ == "__main__":
    main()
