"""``python -m tests.crash.overload``: what one caller's load does to the others.

A server with 25,000 images gets 200 searches at once, exact searches in eight requests, examples
over three connections, and 64 readers that do not read. Prints a line for each, in two minutes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from rich.console import Console

from benchmarks.bulk import load
from domain.entities.embeddings import EmbeddingModel
from infra.clip.model_files import weights_digest
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade
from postcards import MODEL
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, UPLOAD, ServerProcess, cache_models_in, run_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable

IMAGES = 25_000
DIMENSIONS = 192
SEARCHES, EXACT_REQUESTS, EXAMPLE_CONNECTIONS, READERS = 200, 8, 3, 64
UPLOADS = 8
SEARCH = """
query ($text: String!) {
  searchImages(by: {text: $text}, first: 20) { nodes { id filename } relevantCount }
}
"""
EXAMPLE = "query ($file: Upload!) { searchImages(by: {image: $file}, first: 5) { nodes { id } } }"
LIST = "{ images(first: 1) { nodes { id } } }"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}

console = Console()


@dataclass(slots=True)
class Answers:
    """How requests were answered, and the longest wait in seconds."""

    kinds: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0

    async def add(self, request: Awaitable[httpx.Response]) -> None:
        """Wait for the answer of a request."""
        began = time.monotonic()
        try:
            self.kinds[_kind(await request)] += 1
        except httpx.HTTPError as error:
            self.kinds[type(error).__name__] += 1
        self.longest = max(self.longest, time.monotonic() - began)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
        return f"{kinds}; longest {self.longest:.2f} s"


def _kind(response: httpx.Response) -> str:
    if "json" not in response.headers.get("content-type", ""):
        return f"HTTP {response.status_code}"
    errors = response.json().get("errors")
    return str(errors[0].get("extensions", {}).get("code")) if errors else "answered"


@dataclass(frozen=True, slots=True)
class Load:
    """A client that sends many requests at once."""

    http: httpx.AsyncClient

    async def searches(self) -> None:
        """Send many searches at once."""
        texts = (f"text number {number} of many" for number in range(SEARCHES))
        await self._beside(f"{SEARCHES} searches at once", map(self._search, texts))

    async def exact_searches(self) -> None:
        """Send exact searches, four in a request, beside queries with a key."""
        keyed = Answers()

        async def ask() -> None:
            for _ in range(10):
                await keyed.add(self._post(LIST, headers=WITH_KEY))

        waiting = asyncio.create_task(ask())
        requests = map(self._exact_searches, range(EXACT_REQUESTS))
        await self._beside(f"exact searches in {EXACT_REQUESTS} requests", requests)
        await waiting
        console.print(f"  queries with a key meanwhile: {keyed}")

    async def examples(self) -> None:
        """Upload pictures beside searches by example."""
        examples, uploads = Answers(), Answers()
        pictures = [picture(1_000 + number, side=2_500) for number in range(4)]

        async def search() -> None:
            number = 0
            while True:
                data = pictures[number % len(pictures)] + number.to_bytes(4)
                await examples.add(self._multipart(EXAMPLE, "variables.file", {"file": None}, data))
                number += 1

        searching = [asyncio.create_task(search()) for _ in range(EXAMPLE_CONNECTIONS)]
        await asyncio.sleep(2)
        for number in range(UPLOADS):
            await uploads.add(self._upload(picture(5_000 + number)))
        for each in searching:
            each.cancel()
        console.print(f"examples over {EXAMPLE_CONNECTIONS} connections: {examples}")
        console.print(f"  uploads meanwhile: {uploads}")

    async def slow_readers(self) -> None:
        """Upload and read a picture beside readers that take nothing."""
        answer = (await self._upload(picture(77, side=7_000))).json()
        url = httpx.URL(answer["data"]["uploadImages"]["results"][0]["image"]["url"])
        sockets = []
        for _ in range(READERS):
            reader = socket.create_connection(
                (self.http.base_url.host, self.http.base_url.port or 80)
            )
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            head = f"GET {url.path} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n\r\n"
            reader.sendall(head.encode())
            sockets.append(reader)
        await asyncio.sleep(3)
        uploads, pictures = Answers(), Answers()
        await uploads.add(self._upload(picture(6_000)))
        await pictures.add(self.http.get(url, headers=WITH_KEY))
        console.print(f"beside {READERS} readers: an upload {uploads}; a picture {pictures}")
        for reader in sockets:
            reader.close()

    async def _beside(self, name: str, requests: Iterable[Awaitable[httpx.Response]]) -> None:
        """Send requests at once, and ask for the health of the server meanwhile."""
        answers = Answers()
        async with self._health() as health:
            await asyncio.gather(*map(answers.add, requests))
        console.print(f"{name}: {answers}")
        for path, checks in health.items():
            console.print(f"  {path}: {checks}")

    @asynccontextmanager
    async def _health(self) -> AsyncIterator[dict[str, Answers]]:
        checks = {"/healthz": Answers(), "/readyz": Answers()}

        async def check(path: str) -> None:
            while True:
                await checks[path].add(self.http.get(path))
                await asyncio.sleep(0.2)

        tasks = [asyncio.create_task(check(path)) for path in checks]
        try:
            yield checks
        finally:
            for task in tasks:
                task.cancel()

    async def _search(self, text: str) -> httpx.Response:
        return await self._post(SEARCH, text=text)

    async def _exact_searches(self, number: int) -> httpx.Response:
        searches = (
            f's{n}: searchImages(by: {{text: "thing {number} {n}"}}, first: 20, exact: true)'
            " { nodes { id } }"
            for n in range(4)
        )
        return await self._post(f"{{ {' '.join(searches)} }}")

    async def _post(
        self, query: str, *, headers: dict[str, str] | None = None, **variables: object
    ) -> httpx.Response:
        body = {"query": query, "variables": variables}
        return await self.http.post("/graphql", json=body, headers=headers)

    async def _upload(self, data: bytes) -> httpx.Response:
        variables = {"files": [None], "tags": []}
        return await self._multipart(UPLOAD, "variables.files.0", variables, data, WITH_KEY)

    async def _multipart(
        self,
        query: str,
        place: str,
        variables: dict[str, Any],
        data: bytes,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        operations = json.dumps({"query": query, "variables": variables})
        return await self.http.post(
            "/graphql",
            data={"operations": operations, "map": json.dumps({"0": [place]})},
            files={"0": ("a.jpg", data)},
            headers={"GraphQL-Require-Preflight": "1"} | (headers or {}),
        )


async def _fill(folder: Path) -> None:
    """Load images with random embeddings into the embedded database of a data folder."""
    random = np.random.default_rng(1)
    points = random.normal(size=(IMAGES, DIMENSIONS)) + 1.5 * random.normal(size=DIMENSIONS)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    model = EmbeddingModel(f"{MODEL.name}@{weights_digest(MODEL)}", DIMENSIONS)
    async with embedded_postgres(folder / "postgres") as url, open_engine(url) as engine:
        await upgrade(engine)
        await load(engine, points.astype(np.float32), console.print, model=model)


async def _load(url: str) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as http:
        each = Load(http)
        await each.searches()
        await each.exact_searches()
        await each.examples()
        await each.slow_readers()


def main() -> None:
    """Fill a library, start a server on it, and load it."""
    with tempfile.TemporaryDirectory(prefix="pictograph-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cache_models_in(folder / "cache")
        settings = {"model": MODEL, "data_dir": folder, "api_key": KEY}
        asyncio.run(_fill(folder))
        run_process("claim", settings=settings)
        with ServerProcess.start(settings) as server:
            asyncio.run(_load(server.url))


if __name__ == "__main__":
    main()
