"""``python -m benchmarks.graph``: CPU time of a listing over GraphQL, beside the stock executor.

With ``--json`` it prints the milliseconds as JSON.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from unittest.mock import patch

import httpx
from starlette.applications import Starlette
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from domain.entities.filters import EVERYTHING
from domain.entities.listing import Sort, Window
from domain.entities.uploads import Upload
from graph.http.app import create_app
from graph.schema import schema
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import FakeBackend

NODES, ROUNDS, BLOCKS, WARM_UP = 50, 20, 15, 2
RAW, EMPTY, LIBRARY = "raw JSON", "an empty request", "the fake library"
STOCK = ", stock executor"
FIELDS = "id filename contentType byteSize sha256 width height createdAt"
PAGE = f"images(first: {NODES})"
QUERY = f"{{ {PAGE} {{ nodes {{ {FIELDS} }} }} }}"
PATHS = {
    "plain attributes": QUERY,
    "with an address": f"{{ {PAGE} {{ nodes {{ {FIELDS} url }} }} }}",
    "with edges and cursors": f"{{ {PAGE} {{ edges {{ cursor node {{ {FIELDS} }} }} }} }}",
}


async def measured(works: Mapping[str, Callable[[], Awaitable[object]]]) -> dict[str, float]:
    """Return the median CPU milliseconds of each work. They run alternately, after a warm-up."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP + BLOCKS):
        for name, work in works.items():
            began = time.process_time()
            for _ in range(ROUNDS):
                await work()
            if number >= WARM_UP:
                spent[name].append((time.process_time() - began) / ROUNDS * 1_000)
    return {name: statistics.median(values) for name, values in spent.items()}


async def measure() -> dict[str, float]:
    """Return the CPU milliseconds of raw JSON, an empty request, the library, and each query.

    A query has a second value, that of the stock executor.
    """
    use_cases = FakeBackend().use_cases()
    for number in range(NODES):
        data = picture_file(words=str(number))
        await use_cases.upload([Upload(f"{number}.png", len(data), lambda data=data: _read(data))])  # type: ignore[misc]
    app = create_app(lambda: use_cases)
    with patch.object(schema, "PlainFieldExecutor", StrawberryGraphQLCoreExecutionContext):
        stock_app = create_app(lambda: use_cases)
    async with _client(app) as client, _client(stock_app) as stock_client:

        async def send(to: httpx.AsyncClient, query: str) -> bytes:
            answer = await to.post("/graphql", json={"query": query})
            return answer.content

        answer = json.loads(await send(client, QUERY))

        async def raw() -> str:
            return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))

        spent = await measured(
            {
                RAW: raw,
                EMPTY: lambda: client.get("/healthz"),
                LIBRARY: lambda: use_cases.list(EVERYTHING, Sort(), Window(NODES)),
            }
        )
        for name, query in PATHS.items():
            spent |= await measured(
                {
                    name: lambda query=query: send(client, query),  # type: ignore[misc]
                    name + STOCK: lambda query=query: send(stock_client, query),  # type: ignore[misc]
                }
            )
        return spent


async def main() -> None:
    spent = await measure()
    if "--json" in sys.argv:
        print(json.dumps(spent))
        return
    print(f"{NODES} nodes x {len(FIELDS.split())} fields, CPU per request")
    for name, milliseconds in spent.items():
        stock = spent.get(name + STOCK)
        ratio = f"  {milliseconds / stock:.2f} of the stock executor" if stock else ""
        print(f"{name:40} {milliseconds:6.2f} ms{ratio}")


def _client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")


async def _read(data: bytes) -> bytes:
    return data


if __name__ == "__main__":
    asyncio.run(main())
