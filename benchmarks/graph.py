"""``python -m benchmarks.graph``: CPU time of a listing over GraphQL, compared with raw JSON.

With ``--json`` it prints the milliseconds as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import httpx

from domain.entities.uploads import Upload
from graph.http.app import create_app
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import FakeBackend

NODES, ROUNDS = 50, 200
RAW, EMPTY = "raw JSON", "an empty request"
FIELDS = "id filename contentType byteSize sha256 width height createdAt"
PAGE = f"images(first: {NODES})"
QUERY = f"{{ {PAGE} {{ nodes {{ {FIELDS} }} }} }}"
PATHS = {
    "plain attributes": QUERY,
    "with an address": f"{{ {PAGE} {{ nodes {{ {FIELDS} url }} }} }}",
    "with edges and cursors": f"{{ {PAGE} {{ edges {{ cursor node {{ {FIELDS} }} }} }} }}",
}


async def measured(work: Callable[[], Awaitable[object]]) -> float:
    """Return the CPU milliseconds per round after a warm-up."""
    for _ in range(ROUNDS // 10):
        await work()
    began = time.process_time()
    for _ in range(ROUNDS):
        await work()
    return (time.process_time() - began) / ROUNDS * 1_000


async def measure() -> dict[str, float]:
    """Return the CPU milliseconds of raw JSON, of an empty request, and of each query."""
    backend = FakeBackend()
    use_cases = backend.use_cases()
    for number in range(NODES):
        data = picture_file(words=str(number))
        await use_cases.upload([Upload(f"{number}.png", len(data), lambda data=data: _read(data))])  # type: ignore[misc]
    transport = httpx.ASGITransport(app=create_app(lambda: use_cases))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:

        async def send(query: str) -> bytes:
            answer = await client.post("/graphql", json={"query": query})
            return answer.content

        answer = json.loads(await send(QUERY))

        async def raw() -> str:
            return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))

        async def healthz() -> object:
            return await client.get("/healthz")

        return {RAW: await measured(raw), EMPTY: await measured(healthz)} | {
            name: await measured(lambda query=query: send(query))  # type: ignore[misc]
            for name, query in PATHS.items()
        }


async def main() -> None:
    spent = await measure()
    if "--json" in sys.argv:
        print(json.dumps(spent))
        return
    print(f"{NODES} nodes x {len(FIELDS.split())} fields, CPU per request")
    for name, milliseconds in spent.items():
        times = (milliseconds - spent[EMPTY]) / spent[RAW]
        compared = f"{times:5.1f} x raw JSON" if name in PATHS else ""
        print(f"{name:24} {milliseconds:6.2f} ms  {compared}")


async def _read(data: bytes) -> bytes:
    return data


if __name__ == "__main__":
    asyncio.run(main())
