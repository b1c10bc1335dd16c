"""``python -m benchmarks.end_to_end``: search and upload over HTTP, compared with their parts.

The model has the size of openai/clip-vit-base-patch32 and random weights, and is as fast as a real
one. The parts are measured in one process on the library of the server, right after it stopped.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
from PIL import Image

from benchmarks.encoder import captions, make_b32_checkpoint
from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.entities.images import Pixels
from domain.entities.searches import MAX_SEARCH_DEPTH
from infra.settings import read_settings
from pictograph import app
from tests.e2e.process import KEY, Server, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PICTURES = 400
PICTURES_PER_UPLOAD = 20
SEARCHES = 200
CLIENT_COUNTS = (1, 16)
WIDTH, HEIGHT = 640, 480
SEARCH = (
    "query ($text: String!) { searchImages(by: {text: $text}) { edges { score node { id } } } }"
)


def make_file(number: int) -> bytes:
    """Return a JPEG with the detail of a photo. Each number gives another picture."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = random.integers(-12, 13, picture.shape, dtype=np.int16)
    file = io.BytesIO()
    Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


async def latencies(work: Callable[[str], Awaitable[object]], clients: int) -> list[float]:
    """Return the latencies of SEARCHES calls by concurrent clients, in milliseconds."""
    texts = itertools.islice(TEXTS, SEARCHES)
    milliseconds: list[float] = []

    async def client() -> None:
        for text in texts:
            began = time.perf_counter()
            await work(text)
            milliseconds.append(1_000 * (time.perf_counter() - began))

    await asyncio.gather(*(client() for _ in range(clients)))
    return milliseconds


TEXTS = captions()  # no text repeats, so no cache answers


def report_latency(name: str, milliseconds: list[float]) -> float:
    """Print median and 95th percentile, and return the median."""
    p50, *_, p95 = statistics.quantiles(milliseconds, n=20)[9:19]
    print(f"  {name:34} p50 {p50:7.1f} ms   p95 {p95:7.1f} ms")
    return p50


async def uploads(server: Server) -> float:
    """Upload all pictures with two clients, and return the pictures per second."""
    files = [make_file(number) for number in range(PICTURES)]
    batches = [
        {
            f"{start + i}.jpg": data
            for i, data in enumerate(files[start : start + PICTURES_PER_UPLOAD])
        }
        for start in range(0, PICTURES, PICTURES_PER_UPLOAD)
    ]
    began = time.perf_counter()
    waiting = iter(batches)

    async def client() -> None:
        for batch in waiting:
            answer = await asyncio.to_thread(server.upload, batch)
            assert not answer["userErrors"]  # noqa: S101 - a refusal would be fast

    await asyncio.gather(client(), client())
    return PICTURES / (time.perf_counter() - began)


async def searches(server: Server) -> dict[int, float]:
    """Search with each number of clients, and return the median latencies."""
    medians = {}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:

        async def search(text: str) -> None:
            answer = await http.post(
                "/graphql", json={"query": SEARCH, "variables": {"text": text}}
            )
            assert "errors" not in answer.json()  # noqa: S101 - an error would be fast

        await latencies(search, 4)
        for clients in CLIENT_COUNTS:
            medians[clients] = report_latency(
                f"search, {clients} clients", await latencies(search, clients)
            )
    return medians


async def parts(settings: dict[str, object]) -> tuple[dict[int, float], float]:
    """Measure encoding and SQL alone.

    Returns the sum of their median latencies by number of clients, and the encoder's pictures per
    second.
    """
    sums = {}
    async with app.open_pictograph(read_settings(**settings)) as pictograph:
        search = pictograph.use_cases.search
        encoder = search.encode_query.encoder

        async def encode(text: str) -> None:
            await encoder.encode_texts([text])

        [embedding] = await encoder.encode_texts(["a lighthouse"])
        query = Query(embedding, QueryKind.TEXT)

        async def sql(_: str) -> None:
            ranking = await search.vectors.search(query, EVERYTHING, limit=MAX_SEARCH_DEPTH)
            await search.catalog.get([hit.image_id for hit in ranking.hits[:21]])

        await latencies(encode, 4)
        await latencies(sql, 4)
        for clients in CLIENT_COUNTS:
            encoding = report_latency(
                f"encoding, {clients} clients", await latencies(encode, clients)
            )
            querying = report_latency(f"SQL, {clients} clients", await latencies(sql, clients))
            sums[clients] = encoding + querying
        with Image.open(io.BytesIO(make_file(0))) as picture:
            pixels = Pixels(WIDTH, HEIGHT, picture.convert("RGB").tobytes())
        began = time.perf_counter()
        await asyncio.gather(*(encoder.encode_images([pixels]) for _ in range(128)))
        return sums, 128 / (time.perf_counter() - began)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "b32")
        make_b32_checkpoint(model)
        settings: dict[str, object] = {"model": str(model), "data_dir": Path(folder, "data")}
        print(
            f"{PICTURES} pictures of {WIDTH} x {HEIGHT}; {SEARCHES} searches per line, "
            "each of a new text"
        )
        with ServerProcess.start(settings | {"api_key": KEY, "log_level": "warning"}) as server:
            uploaded = await uploads(server)
            whole = await searches(server)
        sums, encoded = await parts(settings)
        for clients in CLIENT_COUNTS:
            ratio = whole[clients] / sums[clients]
            print(
                f"  {clients:2} clients: end to end takes {ratio:.2f} times as long as "
                "encoding and SQL"
            )
        print(
            f"  uploads {uploaded:.1f} pictures/s, the encoder alone {encoded:.1f} pictures/s: ",
            end="",
        )
        print(f"{uploaded / encoded:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
