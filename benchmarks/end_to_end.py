"""``python -m benchmarks.end_to_end``: search and upload by the real server, beside their parts.

The model has the size of openai/clip-vit-base-patch32 and random weights: as fast as a real one.
Parts are measured in one process on the library that the server left, right after it stopped.
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

from benchmarks.encoder import captions, make_true_size
from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import EVERYTHING
from domain.entities.images import Pixels
from domain.entities.searches import DEPTH
from infra.settings import read_settings
from pictograph import app
from tests.e2e.process import KEY, Server, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PICTURES = 400
BATCH = 20
SEARCHES = 200
CLIENTS = (1, 16)
WIDTH, HEIGHT = 640, 480
SEARCH = (
    "query ($text: String!) { searchImages(by: {text: $text}) { edges { score node { id } } } }"
)


def make_file(number: int) -> bytes:
    """Draw a JPEG with the detail of a photo, another one for each number."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = random.integers(-12, 13, picture.shape, dtype=np.int16)
    file = io.BytesIO()
    Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


async def latencies(work: Callable[[str], Awaitable[object]], clients: int) -> list[float]:
    """Return the milliseconds of each of SEARCHES calls, made by that many clients at once."""
    texts = itertools.islice(TEXTS, SEARCHES)
    took: list[float] = []

    async def client() -> None:
        for text in texts:
            began = time.perf_counter()
            await work(text)
            took.append(1_000 * (time.perf_counter() - began))

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


TEXTS = captions()  # no text comes twice, so no cache answers


def line(name: str, took: list[float]) -> float:
    """Print and return the median."""
    middle, *_, late = statistics.quantiles(took, n=20)[9:19]
    print(f"  {name:34} p50 {middle:7.1f} ms   p95 {late:7.1f} ms")
    return middle


async def uploads(server: Server) -> float:
    """Take all pictures in, by two clients, and return how many a second."""
    files = [make_file(number) for number in range(PICTURES)]
    batches = [
        {f"{start + i}.jpg": data for i, data in enumerate(files[start : start + BATCH])}
        for start in range(0, PICTURES, BATCH)
    ]
    began = time.perf_counter()
    waiting = iter(batches)

    async def client() -> None:
        for batch in waiting:
            answer = await asyncio.to_thread(server.upload, batch)
            assert not answer["userErrors"]  # noqa: S101 - a refused picture costs nothing

    await asyncio.gather(client(), client())
    return PICTURES / (time.perf_counter() - began)


async def searches(server: Server) -> dict[int, float]:
    """Search with each number of clients, and return the medians."""
    medians = {}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:

        async def search(text: str) -> None:
            answer = await http.post(
                "/graphql", json={"query": SEARCH, "variables": {"text": text}}
            )
            assert "errors" not in answer.json()  # noqa: S101 - an error costs nothing

        await latencies(search, 4)
        for clients in CLIENTS:
            medians[clients] = line(f"search, {clients} at once", await latencies(search, clients))
    return medians


async def parts(settings: dict[str, object]) -> tuple[dict[int, float], float]:
    """Measure encoding and SQL by themselves: medians of their sum, and pictures a second."""
    sums = {}
    async with app.open_pictograph(read_settings(**settings)) as pictograph:
        search = pictograph.use_cases.search
        encoder = search.questions.encoder

        async def encode(text: str) -> None:
            await encoder.encode_texts([text])

        [embedding] = await encoder.encode_texts(["a lighthouse"])
        query = Query(embedding, QueryKind.TEXT)

        async def sql(_: str) -> None:
            ranking = await search.vectors.search(query, EVERYTHING, limit=DEPTH)
            await search.catalog.get([hit.image_id for hit in ranking.hits[:21]])

        await latencies(encode, 4)
        await latencies(sql, 4)
        for clients in CLIENTS:
            encoding = line(f"encoding, {clients} at once", await latencies(encode, clients))
            querying = line(f"SQL, {clients} at once", await latencies(sql, clients))
            sums[clients] = encoding + querying
        with Image.open(io.BytesIO(make_file(0))) as picture:
            pixels = Pixels(WIDTH, HEIGHT, picture.convert("RGB").tobytes())
        began = time.perf_counter()
        await asyncio.gather(*(encoder.encode_images([pixels]) for _ in range(128)))
        return sums, 128 / (time.perf_counter() - began)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "true-size")
        make_true_size(model)
        settings: dict[str, object] = {"model": str(model), "data_dir": Path(folder, "data")}
        print(
            f"{PICTURES} pictures of {WIDTH} x {HEIGHT}; {SEARCHES} searches a line, no text twice"
        )
        with ServerProcess.start(settings | {"api_key": KEY, "log_level": "warning"}) as server:
            uploaded = await uploads(server)
            whole = await searches(server)
        sums, encoded = await parts(settings)
        for clients in CLIENTS:
            ratio = whole[clients] / sums[clients]
            print(
                f"  {clients:2} at once: end to end is {ratio:.2f} times encoding and SQL together"
            )
        print(
            f"  uploads {uploaded:.1f} pictures/s, the encoder alone {encoded:.1f} pictures/s: ",
            end="",
        )
        print(f"{uploaded / encoded:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
