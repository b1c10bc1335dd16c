"""``python -m benchmarks.model_change N``: backfills a second model while searches run.

The real command changes the model of a real server with an embedded database and N postcards. The
postcards are kept in ``--postcards FOLDER`` for the next run.
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

from benchmarks.postcard_files import render_files
from benchmarks.texts import TYPICAL_TOKENS, texts_of
from domain.entities.images import Pixels
from infra.settings import read_settings
from pictograph.adapters import open_encoder
from postcards import MODEL
from tests.e2e.process import KEY, Server, ServerProcess, run_process
from tests.e2e.second_model import second_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PICTURES_PER_UPLOAD = 20
ENCODED_PICTURES = 256
"""The number of pictures for the measurement of the encoder alone."""

SEARCHES_PER_SECOND = 5.0
"""The rate of searches, each for a new text. It has to be below the capacity of the machine:
otherwise latencies measure the queue."""

BASELINE_SECONDS = 20
"""How long searches are measured before and after the change."""

SEARCH = """
query ($text: String!) {
  searchImages(by: {text: $text}) { edges { relevance node { id } } explain { model } }
}
"""
MODELS = "{ models { name state embeddedCount } service { model { name } } }"


def upload_all(server: Server, files: Sequence[Path]) -> float:
    """Upload files, and return the pictures per second."""
    began = time.perf_counter()
    for start in range(0, len(files), PICTURES_PER_UPLOAD):
        some = {file.name: file.read_bytes() for file in files[start : start + PICTURES_PER_UPLOAD]}
        assert not server.upload(some)["userErrors"]  # noqa: S101 - a refusal would be fast
    return len(files) / (time.perf_counter() - began)


@dataclass
class SearchLoad:
    """Sends searches at a constant rate, and records latencies and failures."""

    url: str
    per_second: float = SEARCHES_PER_SECOND
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

    def take_latencies(self) -> list[float]:
        """Return the latencies since the last call, in milliseconds."""
        taken, self.milliseconds = self.milliseconds, []
        return taken

    async def _search(self, stop: threading.Event) -> None:
        texts = texts_of(TYPICAL_TOKENS)
        due = time.perf_counter()
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=60) as http,
            asyncio.TaskGroup() as searches,
        ):
            while not stop.is_set():
                searches.create_task(self._send(http, next(texts)))
                due += 1 / self.per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def _send(self, http: httpx.AsyncClient, text: str) -> None:
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
class ProcessMemory:
    """The memory of a process, without its children."""

    pid: int

    def mebibytes(self, field: str = "VmRSS") -> float:
        """Return the current memory (VmRSS), or its peak (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith(f"{field}:")]
        return int(line.split()[1]) / 1_024

    def reset_peak(self) -> None:
        """Reset the peak to the current memory."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def report_percentiles(name: str, milliseconds: Sequence[float]) -> None:
    """Print the median, the 95th and the 99th percentile of latencies."""
    cuts = statistics.quantiles(milliseconds, n=100)
    print(
        f"{name:34} {len(milliseconds):6} searches   p50 {cuts[49]:7.1f} ms   "
        f"p95 {cuts[94]:7.1f} ms   p99 {cuts[98]:7.1f} ms"
    )


def wait_for_state(server: Server, state: str, name: str) -> dict[str, Any]:
    """Wait until a model has this state, and return its fields."""
    while True:
        for model in server.ask(MODELS)["models"]:
            if model["name"].startswith(name) and model["state"] == state:
                return dict(model)
        time.sleep(0.2)


async def encoder_alone(model: Path, files: Sequence[Path]) -> float:
    """Return the encoder's rate for decoded pictures, in pictures per second."""
    pixels = []
    for file in files[:ENCODED_PICTURES]:
        with Image.open(file) as picture:
            picture.draft("RGB", (240, 160))
            rgb = picture.convert("RGB")
            pixels.append(Pixels(*rgb.size, rgb.tobytes()))
    async with open_encoder(
        read_settings(model=str(model), encoder_queue=ENCODED_PICTURES)
    ) as encoder:
        await encoder.encode_images(pixels[:8])
        began = time.perf_counter()
        await encoder.encode_images(pixels)
        return len(pixels) / (time.perf_counter() - began)


def change(
    server: ServerProcess,
    settings: dict[str, object],
    second: Path,
    *,
    count: int,
    load: SearchLoad,
) -> float:
    """Change the model under load, and return the backfilled pictures per second."""

    def run_models_command(*arguments: str) -> None:
        done = run_process("models", *arguments, settings=settings)
        assert done.returncode == 0, done.stderr  # noqa: S101 - nothing to measure otherwise

    memory = ProcessMemory(server.process.pid)
    with load.running():
        time.sleep(BASELINE_SECONDS)
        report_percentiles("before", load.take_latencies())
        before = memory.mebibytes()
        run_models_command("add", str(second))
        while not (embedded := server.ask(MODELS)["models"][-1]["embeddedCount"]):
            time.sleep(0.05)
        # The model is loaded and has embedded the first pictures. Memory should not grow from here.
        began, first, loaded = time.perf_counter(), embedded, memory.mebibytes()
        memory.reset_peak()
        while (embedded := server.ask(MODELS)["models"][-1]["embeddedCount"]) < count:
            time.sleep(0.2)
        rate = float(embedded - first) / (time.perf_counter() - began)
        wait_for_state(server, "READY", second.name)
        report_percentiles("during the backfill", load.take_latencies())
        peak = memory.mebibytes("VmHWM")
        run_models_command("promote", second.name)
        wait_for_state(server, "ACTIVE", second.name)
        time.sleep(BASELINE_SECONDS)
        report_percentiles("during and after the promotion", load.take_latencies())
    print(f"failed searches: {load.failed}; answered by {', '.join(sorted(load.models))}")
    print(
        f"memory of the server: {before:.0f} MiB before, {loaded:.0f} MiB with both models, "
        f"{peak:.0f} MiB at most during the backfill, {memory.mebibytes():.0f} MiB at the end"
    )
    return rate


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000, metavar="N")
    parser.add_argument("--postcards", type=Path, help="The folder that keeps postcards.")
    parser.add_argument(
        "--searches", type=float, default=SEARCHES_PER_SECOND, help="Searches per second."
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        postcards = options.postcards or Path(folder, "postcards")
        postcards.mkdir(parents=True, exist_ok=True)
        files = await render_files(postcards, options.count)
        second = second_model(MODEL, Path(folder, "second"))
        settings: dict[str, object] = {
            "model": MODEL,
            "data_dir": Path(folder, "data"),
            "api_key": KEY,
            "log_level": "warning",
        }
        rate_of_searches = f"{options.searches:g} searches per second"
        print(f"{options.count:,} postcards, {rate_of_searches}, {os.cpu_count()} CPUs")
        with ServerProcess.start(settings) as server:
            print(
                f"uploaded at {await asyncio.to_thread(upload_all, server, files):.1f} pictures/s"
            )
            load = SearchLoad(server.url, options.searches)
            rate = await asyncio.to_thread(
                change, server, settings, second, count=options.count, load=load
            )
        alone = await encoder_alone(second, files)
        print(
            f"backfilled at {rate:.1f} pictures/s during the searches; the encoder alone "
            f"{alone:.1f} pictures/s: {rate / alone:.2f}"
        )


if __name__ == "__main__":
    asyncio.run(main())
