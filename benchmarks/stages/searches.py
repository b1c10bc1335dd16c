"""Searches over HTTP: distinct and repeated texts, by one client and by sixteen."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.bench import CORES, Rounds, in_turn, median
from benchmarks.figures import Figure
from benchmarks.http_load import run_load
from benchmarks.systems import check_found
from benchmarks.texts import TYPICAL_TOKENS, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench
    from benchmarks.encoder_process import EncoderProcess
    from benchmarks.http_load import Load, Request
    from benchmarks.library import BareSearch
    from benchmarks.systems import System

SHARE_OF_TIME = 0.25
CLIENTS = 16
MAX_REQUESTS = 2_000
WARM_UP_REQUESTS = 20
BARE_QUERIES = 100
FLOOR_SECONDS = 0.5
REPEATED_TEXT = "a red boat on a lake at night"
LIMITS = {
    (False, 1): "the text tower and the index scan alone",
    (False, CLIENTS): "the same on every core, texts in batches of 16",
    (True, 1): "the index scan alone",
    (True, CLIENTS): "index scans on every core",
}


@dataclass(slots=True)
class SearchStage:
    """Measures the systems in turn."""

    bench: Bench
    systems: tuple[System, System]
    engine: EncoderProcess
    bare: BareSearch
    next_text: int = 0
    """The place in the series of texts, so that no text is sent to a system twice."""

    async def measure(self) -> list[Figure]:
        """Return the figures of all kinds of searches."""
        cases = list(itertools.product((False, True), (1, CLIENTS)))
        rounds = {case: Rounds() for case in cases}
        for system in self.systems:
            self.bench.show(f"searches: {system.name}, warm-up")
            requests = self._requests(system, repeated=False, most=WARM_UP_REQUESTS)
            await self._load(system, requests, 1)
        for number in self.bench.budget.each_round(SHARE_OF_TIME):
            for repeated, clients in cases:
                values = rounds[repeated, clients]
                for system in in_turn(self.systems, number):
                    kind = "repeated text" if repeated else "distinct texts"
                    self.bench.show(f"searches: {kind}, {clients} clients, {system.name}")
                    requests = self._requests(system, repeated=repeated, most=MAX_REQUESTS)
                    load = await self._load(system, requests, clients)
                    of_system = values.ours if system is self.systems[0] else values.plain
                    of_system.append(median(load.milliseconds) if clients == 1 else load.per_second)
            for case, floor in (await self._floors()).items():
                rounds[case].floor.append(floor)
            self.next_text += MAX_REQUESTS
        return [
            _figure(repeated=repeated, clients=clients, rounds=values)
            for (repeated, clients), values in rounds.items()
        ]

    def _requests(self, system: System, *, repeated: bool, most: int) -> Iterator[Request]:
        texts = (
            itertools.repeat(REPEATED_TEXT)
            if repeated
            else texts_of(TYPICAL_TOKENS, start=self.next_text)
        )
        if not repeated and system is self.systems[1]:
            self.next_text += most
        return (system.search(text) for text in itertools.islice(texts, most))

    async def _load(self, system: System, requests: Iterator[Request], clients: int) -> Load:
        seconds = self.bench.budget.measure_seconds
        return await run_load(
            system.url, requests, clients=clients, seconds=seconds, check=check_found
        )

    async def _floors(self) -> dict[tuple[bool, int], float]:
        self.bench.show("searches: floors")
        scan = await self._bare_scan()
        text = self.engine.texts(1, TYPICAL_TOKENS, FLOOR_SECONDS).milliseconds
        batch = self.engine.texts(CLIENTS, TYPICAL_TOKENS, FLOOR_SECONDS).milliseconds
        return {
            (False, 1): text + scan,
            # A batch uses every core, an index scan uses one.
            (False, CLIENTS): 1_000 / (batch / CLIENTS + scan / CORES),
            (True, 1): scan,
            (True, CLIENTS): 1_000 * CORES / scan,
        }

    async def _bare_scan(self) -> float:
        """Return the median milliseconds of an index scan by the bare driver."""
        latencies = []
        for number in range(BARE_QUERIES):
            began = time.perf_counter()
            await self.bare.run(number)
            latencies.append(1_000 * (time.perf_counter() - began))
        return median(latencies)


def _figure(*, repeated: bool, clients: int, rounds: Rounds) -> Figure:
    kind = "repeated text" if repeated else "distinct texts"
    several = clients > 1
    return Figure(
        f"search, {kind}, {clients} clients" if several else f"search, {kind}, 1 client, p50",
        "/s" if several else "ms",
        tuple(rounds.ours),
        tuple(rounds.plain),
        tuple(rounds.floor),
        LIMITS[repeated, clients],
        more_is_better=several,
    )
