"""The CPU time of a page of 50 images with 8 fields, beside that of its JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from benchmarks.bench import Rounds
from benchmarks.figures import Figure

if TYPE_CHECKING:
    from benchmarks.bench import Bench

SHARE_OF_TIME = 0.05


async def measure_listing(bench: Bench) -> list[Figure]:
    """Return the figure. Each round is a process, which imports nothing of the other stages."""
    rounds = Rounds()
    for number in bench.budget.each_round(SHARE_OF_TIME):
        bench.show(f"listing over GraphQL, round {number + 1}")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.graph", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        measured = json.loads(output)
        rounds.ours.append(measured["plain attributes"] - measured["an empty request"])
        rounds.floor.append(measured["raw JSON"])
    return [
        Figure(
            "50 images x 8 fields over GraphQL, CPU",
            "ms",
            tuple(rounds.ours),
            floor=tuple(rounds.floor),
            limit="json.dumps of the answer",
        )
    ]
