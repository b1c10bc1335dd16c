"""``python -m benchmarks.model_change N``: N postcards move to a second model under searches.

What changes the model is the real command, against the real server with its embedded database. The
postcards are drawn into ``--postcards FOLDER``, where they stay for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image

from benchmarks.drawn import draw
from benchmarks.encoder import captions
from domain.entities.images import Pixels
from infra.settings import read_settings
from pictograph.adapters import open_encoder
from postcards import MODEL
from tests.e2e.process import KEY, Server, ServerProcess, run_process
from tests.e2e.second_model import second_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH = 20
PICTURES = 256
"""How many are encoded by the encoder alone."""

PER_SECOND = 5.0
"""Searches, each of a text that was not asked before. More than a machine can answer say nothing:
they only queue."""

SECONDS = 20
"""How long searches are measured before the change and after it."""

SEARCH = """
query ($text: String!) {
  searchImages(by: {text: $text}) { edges { relevance node { id } } explain { model } }
}
"""
MODELS = "{ models { name state embeddedCount } service { model { name } } }"


def fill(server: Server, files: Sequence[Path]) -> float:
    """Take files in, and return how many a second."""
    began = time.perf_counter()
    for start in range(0, len(files), BATCH):
        some = {file.name: file.read_bytes() for file in files[start : start + BATCH]}
        assert not server.upload(some)["userErrors"]  # noqa: S101 - a refused one costs nothing
    return len(files) / (time.perf_counter() - began)


@dataclass
class Load:
    """Searches at an even pace, however long they take, and what became of them."""

    url: str
    per_second: float = PER_SECOND
    failed: int = 0
    milliseconds: list[float] = field(default_factory=list)
    models: set[str] = field(default_factory=set)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Search until the block ends."""
        stop = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._search(stop)))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def taken(self) -> list[float]:
        """Return what was measured since the last time."""
        taken, self.milliseconds = self.milliseconds, []
        return taken

    async def _search(self, stop: threading.Event) -> None:
        texts = captions()
        due = time.perf_counter()
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=60) as http,
            asyncio.TaskGroup() as asked,
        ):
            while not stop.is_set():
                asked.create_task(self._ask(http, next(texts)))
                due += 1 / self.per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def _ask(self, http: httpx.AsyncClient, text: str) -> None:
        began = time.perf_counter()
        try:
            sent = await http.post("/graphql", json={"query": SEARCH, "variables": {"text": text}})
            found = sent.json()["data"]["searchImages"]
            self.models.add(found["explain"]["model"])
            self.failed += not found["edges"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            self.failed += 1
        self.milliseconds.append(1_000 * (time.perf_counter() - began))


@dataclass
class Memory:
    """What a process holds, without its children."""

    pid: int

    def mebibytes(self, what: str = "VmRSS") -> float:
        """Return how much that is now, or was at most (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith(f"{what}:")]
        return int(line.split()[1]) / 1_024

    def forget_peak(self) -> None:
        """Let the peak begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def percentiles(name: str, milliseconds: Sequence[float]) -> None:
    """Print what half, 95 and 99 % of searches took at most."""
    cuts = statistics.quantiles(milliseconds, n=100)
    print(
        f"{name:34} {len(milliseconds):6} searches   p50 {cuts[49]:7.1f} ms   "
        f"p95 {cuts[94]:7.1f} ms   p99 {cuts[98]:7.1f} ms"
    )


def until(server: Server, condition: str, name: str) -> dict[str, Any]:
    """Return the state of a model once it is ``condition``."""
    while True:
        for model in server.ask(MODELS)["models"]:
            if model["name"].startswith(name) and model["state"] == condition:
                return dict(model)
        time.sleep(0.2)


async def encoder_alone(model: Path, files: Sequence[Path]) -> float:
    """Return how many decoded pictures the encoder takes a second."""
    pixels = []
    for file in files[:PICTURES]:
        with Image.open(file) as picture:
            picture.draft("RGB", (240, 160))
            rgb = picture.convert("RGB")
            pixels.append(Pixels(*rgb.size, rgb.tobytes()))
    async with open_encoder(read_settings(model=str(model), encoder_queue=PICTURES)) as encoder:
        await encoder.encode_images(pixels[:8])
        began = time.perf_counter()
        await encoder.encode_images(pixels)
        return len(pixels) / (time.perf_counter() - began)


def change(
    server: ServerProcess, settings: dict[str, object], second: Path, *, count: int, load: Load
) -> float:
    """Change the model under a load, and return the pictures a second that it took in."""

    def say(*arguments: str) -> None:
        done = run_process("models", *arguments, settings=settings)
        assert done.returncode == 0, done.stderr  # noqa: S101 - there is nothing to measure else

    memory = Memory(server.process.pid)
    with load.running():
        time.sleep(SECONDS)
        percentiles("before", load.taken())
        held = memory.mebibytes()
        say("add", str(second))
        while not (embedded := server.ask(MODELS)["models"][-1]["embeddedCount"]):
            time.sleep(0.05)
        # Loading a model and the first pictures are over: from here on memory is to be flat.
        began, first, loaded = time.perf_counter(), embedded, memory.mebibytes()
        memory.forget_peak()
        while (embedded := server.ask(MODELS)["models"][-1]["embeddedCount"]) < count:
            time.sleep(0.2)
        rate = float(embedded - first) / (time.perf_counter() - began)
        until(server, "READY", second.name)
        percentiles("while the new model was filled", load.taken())
        peak = memory.mebibytes("VmHWM")
        say("promote", second.name)
        until(server, "ACTIVE", second.name)
        time.sleep(SECONDS)
        percentiles("around and after the promotion", load.taken())
    print(f"failed searches: {load.failed}; answered by {', '.join(sorted(load.models))}")
    print(
        f"memory of the server: {held:.0f} MiB before, {loaded:.0f} MiB with both models, "
        f"{peak:.0f} MiB at most while it was filled, {memory.mebibytes():.0f} MiB at the end"
    )
    return rate


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000, metavar="N")
    parser.add_argument("--postcards", type=Path, help="Folder that postcards are kept in.")
    parser.add_argument("--searches", type=float, default=PER_SECOND, help="A second.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        postcards = given.postcards or Path(folder, "postcards")
        postcards.mkdir(parents=True, exist_ok=True)
        files = await draw(postcards, given.count)
        second = second_model(MODEL, Path(folder, "second"))
        settings: dict[str, object] = {
            "model": MODEL,
            "data_dir": Path(folder, "data"),
            "api_key": KEY,
            "log_level": "warning",
        }
        pace = f"{given.searches:g} searches a second"
        print(f"{given.count:,} postcards, {pace}, {os.cpu_count()} CPUs")
        with ServerProcess.start(settings) as server:
            print(f"taken in at {await asyncio.to_thread(fill, server, files):.1f} pictures/s")
            load = Load(server.url, given.searches)
            rate = await asyncio.to_thread(
                change, server, settings, second, count=given.count, load=load
            )
        alone = await encoder_alone(second, files)
        print(
            f"moved at {rate:.1f} pictures/s beside the searches; the encoder alone "
            f"{alone:.1f} pictures/s: {rate / alone:.2f}"
        )


if __name__ == "__main__":
    asyncio.run(main())
