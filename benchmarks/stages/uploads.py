"""Uploads of 12-megapixel pictures over HTTP, and the memory of the servers under them."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.bench import CORES, Rounds, in_turn, median, split
from benchmarks.figures import Figure
from benchmarks.http_load import run_load
from benchmarks.systems import check_stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.encoder_process import EncoderProcess
    from benchmarks.systems import System

SHARE_OF_TIME = 0.25
CLIENTS = 8
MAX_SECONDS = 30.0
"""The longest time of one measurement. The number of pictures usually ends it."""

FLOOR_SECONDS = 0.5
IDLE_SECONDS = 20.0
DECODED_PICTURES = 4
INPUT_SIDE = 224
THUMBNAIL_SIDE = 480
REDUCED_SIZE = (1000, 750)
"""An eighth of 12 megapixels in each direction would be less than a thumbnail needs."""

FLOAT32_BYTES, BFLOAT16_BYTES = 4, 2
LIMITS = {
    1: "reduced decoding, one thumbnail and the image tower alone",
    CLIENTS: "the same on every core",
}


@dataclass(slots=True)
class UploadStage:
    """Measures the systems in turn."""

    bench: Bench
    systems: tuple[System, System]
    engine: EncoderProcess
    memory_before: Rounds = field(default_factory=Rounds)
    memory_after: Rounds = field(default_factory=Rounds)

    async def measure(self) -> list[Figure]:
        """Return the figures of uploads and of memory."""
        budget = self.bench.budget
        rounds = {clients: Rounds() for clients in (1, CLIENTS)}
        photos = split(self.bench.photos, budget.rounds * budget.uploads)
        await self._measure_memory(self.memory_before)
        for number in budget.each_round(SHARE_OF_TIME):
            for clients, values in rounds.items():
                some = next(photos)
                for system in in_turn(self.systems, number):
                    self.bench.show(f"uploads: {clients} clients, {system.name}")
                    value = await self._upload(system, some, clients)
                    (values.ours if system is self.systems[0] else values.plain).append(value)
            self.bench.show("uploads: floors")
            for clients, floor in (await asyncio.to_thread(self._floors)).items():
                rounds[clients].floor.append(floor)
        await self._measure_memory(self.memory_after)
        count = sum(budget.uploads) * len(rounds[1].ours)
        return [
            *(_figure(clients, values) for clients, values in rounds.items()),
            self._memory_figure("memory, ready and idle", self.memory_before),
            self._memory_figure(f"memory after {count} uploads", self.memory_after),
        ]

    async def _upload(self, system: System, photos: Sequence[Path], clients: int) -> float:
        """Upload pictures, and return the median latency or the rate."""
        requests = (system.upload(photo.name, photo.read_bytes()) for photo in photos)
        load = await run_load(
            system.url, requests, clients=clients, seconds=MAX_SECONDS, check=check_stored
        )
        return median(load.milliseconds) if clients == 1 else load.per_second

    def _floors(self) -> dict[int, float]:
        wall, cpu = _decoding(
            [photo.read_bytes() for photo in self.bench.photos[:DECODED_PICTURES]]
        )
        image = self.engine.images(1, FLOOR_SECONDS)
        batch = self.engine.images(CLIENTS, FLOOR_SECONDS).cpu_seconds / CLIENTS
        return {1: 1_000 * wall + image.milliseconds, CLIENTS: CORES / (cpu + batch)}

    async def _measure_memory(self, rounds: Rounds) -> None:
        for system in self.systems:
            self.bench.show(f"memory of {system.name}")
            await system.tree.wait_until_idle(seconds=IDLE_SECONDS)
            of_system = rounds.ours if system is self.systems[0] else rounds.plain
            of_system.append(system.tree.pss_megabytes())

    def _memory_figure(self, name: str, rounds: Rounds) -> Figure:
        weights = (self.bench.checkpoint / "model.safetensors").stat().st_size
        floor = weights / FLOAT32_BYTES * BFLOAT16_BYTES / 1e6
        plain = tuple(rounds.plain)
        return Figure(name, "MB", tuple(rounds.ours), plain, (floor,), "the weights in bfloat16")


def _decoding(files: Sequence[bytes]) -> tuple[float, float]:
    """Return the median seconds, and the CPU seconds, of what a picture needs at least."""
    seconds = []
    used = time.process_time()
    for data in files:
        began = time.perf_counter()
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", REDUCED_SIZE)
            picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            picture.save(io.BytesIO(), "WEBP")
            picture.resize((INPUT_SIDE, INPUT_SIDE))
        seconds.append(time.perf_counter() - began)
    return median(seconds), (time.process_time() - used) / len(files)


def _figure(clients: int, rounds: Rounds) -> Figure:
    several = clients > 1
    return Figure(
        f"upload of 12 megapixels, {clients} clients"
        if several
        else "upload of 12 megapixels, 1 client, p50",
        "/s" if several else "ms",
        tuple(rounds.ours),
        tuple(rounds.plain),
        tuple(rounds.floor),
        LIMITS[clients],
        more_is_better=several,
    )
