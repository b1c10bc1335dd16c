"""How soon `pictograph` answers, with the bundled model and without configuration."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.bench import Rounds
from benchmarks.encoder_process import EncoderProcess
from benchmarks.figures import Figure
from benchmarks.http_load import run_load
from benchmarks.systems import run_pictograph, search_pictograph
from postcards import MODEL
from tests.e2e.process import COMMAND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bench import Bench

SHARE_OF_TIME = 0.1
IDLE_SECONDS = 10.0
ANSWER_SECONDS = 60.0


async def measure_starts(bench: Bench) -> list[Figure]:
    """Return the figures of starts. The first start, which creates the library, does not count."""
    first_answer, idle, help_page = Rounds(), Rounds(), Rounds()
    settings: dict[str, object] = {"model": MODEL, "data_dir": bench.folder / "bundled"}
    bench.show("bundled model: first start")
    await _start(settings)
    with EncoderProcess.start("engine", MODEL):
        pass  # It converts the model, which only its first start does.
    for number in bench.budget.each_round(SHARE_OF_TIME):
        bench.show(f"bundled model: start {number + 1}")
        seconds, megabytes = await _start(settings)
        first_answer.ours.append(seconds)
        idle.ours.append(megabytes)
        with EncoderProcess.start("engine", MODEL) as engine:
            first_answer.floor.append(engine.start_seconds)
            idle.floor.append(engine.tree.pss_megabytes())
        bench.show(f"pictograph --help, round {number + 1}")
        help_page.ours.append(await asyncio.to_thread(_seconds_of, [*COMMAND, "--help"]))
        help_page.floor.append(await asyncio.to_thread(_seconds_of, [sys.executable, "-c", ""]))
    engine_alone = "the engine alone, with the same model"
    return [
        _figure("bundled model: `serve` to first answer", "s", first_answer, engine_alone),
        _figure("bundled model: memory, idle", "MB", idle, engine_alone),
        _figure("`pictograph --help`", "s", help_page, "Python alone"),
    ]


async def _start(settings: dict[str, object]) -> tuple[float, float]:
    """Start a server, and return the seconds to its first answer, and its memory once idle."""
    began = time.perf_counter()
    with run_pictograph(settings) as server:
        request = search_pictograph("a red boat")
        await run_load(
            server.url, [request], clients=1, seconds=ANSWER_SECONDS, check=_check_answered
        )
        seconds = time.perf_counter() - began
        await server.tree.wait_until_idle(seconds=IDLE_SECONDS)
        return seconds, server.tree.pss_megabytes()


def _check_answered(body: bytes) -> None:
    """Raise ValueError for an error. The library is empty, so there is no hit."""
    if b'"errors"' in body:
        raise ValueError(f"This answer is no success: {body[:300]!r}")


def _seconds_of(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _figure(name: str, unit: str, rounds: Rounds, limit: str) -> Figure:
    return Figure(name, unit, tuple(rounds.ours), floor=tuple(rounds.floor), limit=limit)
