"""The rate of `pictograph import` for a folder of 12-megapixel pictures, beside the CPU it uses."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # no types

from benchmarks.bench import CORES, Rounds
from benchmarks.figures import Figure
from benchmarks.library import create_database, migrate, settings_of
from benchmarks.process_tree import ProcessTree
from benchmarks.systems import tuning
from tests.e2e.process import COMMAND, environment, typed_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.bench import Bench

SHARE_OF_TIME = 0.12
POLL_SECONDS = 0.05
MAX_SECONDS = 120.0
SELECT_COUNTS = """
    SELECT (SELECT count(*) FROM objects), (SELECT count(*) FROM images WHERE status = 'ready')
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """How far an import is: the time, the pictures and the CPU seconds until now."""

    seconds: float
    listed: int
    pictures: int
    """The pictures that can be found."""
    cpu_seconds: float


async def measure_imports(bench: Bench, server: str) -> list[Figure]:
    """Return the figure of imports. Each round imports into a library of its own."""
    rounds = Rounds()
    photos = bench.folder / "import"
    photos.mkdir()
    for photo in bench.photos[: bench.budget.imported]:
        shutil.copy(photo, photos)
    for number in bench.budget.each_round(SHARE_OF_TIME):
        bench.show(f"import of {bench.budget.imported} pictures, round {number + 1}")
        database = await create_database(server, f"import_{number}")
        settings = settings_of(database, bench.folder / f"import-{number}", bench.checkpoint)
        await migrate(settings)
        rate, floor = rates(await _import(settings, photos, bench.budget.imported))
        rounds.ours.append(rate)
        rounds.floor.append(floor)
    return [
        Figure(
            "import of 12-megapixel files",
            "/s",
            tuple(rounds.ours),
            floor=tuple(rounds.floor),
            limit="cores / CPU seconds of a picture",
            more_is_better=True,
        )
    ]


def rates(samples: Sequence[Sample]) -> tuple[float, float]:
    """Return the pictures per second, and those that the used CPU time would allow.

    Both are from the first picture that is listed to the last one that is ready, so that the start
    of the command does not count.
    """
    first = next((sample for sample in samples if sample.listed), samples[-1])
    last = next(sample for sample in samples if sample.pictures == samples[-1].pictures)
    pictures = last.pictures - first.pictures
    if pictures <= 0:
        raise ValueError("The import ended without a picture that can be found.")
    cpu_of_picture = (last.cpu_seconds - first.cpu_seconds) / pictures
    return pictures / (last.seconds - first.seconds), CORES / cpu_of_picture


async def _import(settings: dict[str, object], folder: Path, count: int) -> list[Sample]:
    """Run the command, and sample it until all pictures are ready."""
    connection = await asyncpg.connect(typed_url(str(settings["database_url"])))
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes a moment, and nothing else runs
        [*COMMAND, "import", str(folder)],
        env=environment(tuning() | {"log_level": "error"} | settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        tree, samples, began = ProcessTree(process.pid), list[Sample](), time.perf_counter()
        while process.poll() is None and time.perf_counter() < began + MAX_SECONDS:
            listed, ready = await connection.fetchrow(SELECT_COUNTS)
            samples.append(Sample(time.perf_counter(), listed, ready, tree.cpu_seconds()))
            if ready == count:
                break
            await asyncio.sleep(POLL_SECONDS)
        return samples
    finally:
        await connection.close()
        process.terminate()
        await asyncio.to_thread(process.wait)
