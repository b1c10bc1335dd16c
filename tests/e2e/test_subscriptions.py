"""Two servers on one database: what comes in through one is watched through the other."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from domain.entities.images import uuid7
from infra.embedded_postgres.cluster import open_cluster
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, ServerProcess, pictograph, typed_url
from tests.e2e.test_direct_uploads import COMPLETE, CREATE, announced, send
from tests.graph.subscription_clients import all_results, next_result, over_sse, over_websocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from uuid import UUID

ANYTHING = """
    subscription {
      imageMatched(by: {text: "a picture"}, minRelevance: 0) { node { id filename } relevance }
    }
"""
STATUS = "subscription ($ids: [ID!]!) { imageStatusChanged(imageIds: $ids) { status } }"
EXPECT = text("""
    INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags)
    SELECT id, id::text, 'later.jpg', 'image/jpeg', 1, now(), 'processing', '{}'
    FROM (SELECT CAST(:id AS uuid) AS id) AS new
""")
FINISH = text("UPDATE images SET status = 'ready', ready_at = now() WHERE id = :id")
CUT = text("""
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'pictograph%'
""")

both = pytest.mark.parametrize("subscribe", [over_websocket, over_sse])


@pytest.fixture(scope="module")
def servers(
    model: Path, postgres_module_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    settings: dict[str, object] = {
        "model": model,
        "data_dir": tmp_path_factory.mktemp("data"),
        "database_url": typed_url(postgres_module_url),
        "api_key": KEY,
    }
    assert pictograph("migrate", settings=settings).returncode == 0
    with Server.in_thread(settings) as one, ServerProcess.start(settings) as other:
        yield one, other


async def execute(url: str, statement: Any, **values: object) -> None:  # noqa: ANN401 - SQLAlchemy's
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(statement, values)
    await engine.dispose()


async def expect(url: str) -> tuple[UUID, dict[str, object]]:
    """Let there be an image that is PROCESSING, and return its id in the words of both."""
    image_id = uuid7()
    await execute(url, EXPECT, id=image_id)
    return image_id, {"ids": [base64.b64encode(f"Image:{image_id}".encode()).decode()]}


async def until_matched(results: AsyncIterator[Any], server: Server, seeds: Iterator[int]) -> None:
    """Upload until a picture is matched: nobody tells when a live search has begun."""
    waiting = asyncio.ensure_future(next_result(results))
    while not waiting.done():
        seed = next(seeds)
        await asyncio.to_thread(server.upload, {f"{seed}.jpg": picture(seed)})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    assert ".jpg" in (await waiting)["data"]["imageMatched"]["node"]["filename"]


@both
async def test_a_live_search_on_one_server_finds_what_is_uploaded_to_the_other(
    servers: tuple[Server, Server],
    subscribe: Any,  # noqa: ANN401 - either way
) -> None:
    one, other = servers
    seeds = iter(range(100, 200) if subscribe is over_sse else range(200, 300))
    async with subscribe(one.url, ANYTHING) as results:
        await until_matched(results, other, seeds)


@both
async def test_a_status_is_seen_through_a_database_that_cuts_every_connection(
    servers: tuple[Server, Server],
    postgres_module_url: str,
    subscribe: Any,  # noqa: ANN401 - either way
) -> None:
    image_id, ids = await expect(postgres_module_url)
    async with subscribe(servers[0].url, STATUS, ids) as results:
        assert "PROCESSING" == (await next_result(results))["data"]["imageStatusChanged"]["status"]
        await execute(postgres_module_url, CUT)
        await execute(postgres_module_url, FINISH, id=image_id)
        [last] = await all_results(results)
        assert "READY" == last["data"]["imageStatusChanged"]["status"]


async def test_what_workers_finish_is_seen_and_found_through_another_server(
    servers: tuple[Server, Server],
) -> None:
    one, other = servers
    files = [picture(number) for number in range(400, 410)]
    wanted = [announced(data) for data in files]
    made = other.ask(CREATE, files=wanted)["createUploadTargets"]["targets"]
    assert {204} == {send(target, data) for target, data in zip(made, files, strict=True)}
    async with over_websocket(one.url, ANYTHING) as found:
        await until_matched(found, other, iter(range(300, 400)))
        done = other.ask(COMPLETE, ids=[target["id"] for target in made])["completeUploads"]
        ids = [result["image"]["id"] for result in done["results"]]
        async with over_sse(one.url, STATUS, {"ids": ids}) as watched:
            statuses = await all_results(watched)
        told = [each["data"]["imageStatusChanged"]["status"] for each in statuses]
        assert len(ids) == told.count("READY")
        assert {"PROCESSING", "READY"} >= set(told)
        missing = set(ids)
        while missing:
            node = (await next_result(found))["data"]["imageMatched"]["node"]
            if node["filename"] == "a.jpg":
                missing.remove(node["id"])


async def test_a_restart_of_the_embedded_database_is_survived(model: Path, tmp_path: Path) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with ServerProcess.start(settings) as one, Server.in_thread(settings) as other:
        seeds = iter(range(100))
        async with (
            over_websocket(one.url, ANYTHING) as over_socket,
            over_sse(one.url, ANYTHING) as over_http,
        ):
            await until_matched(over_socket, other, seeds)
            await until_matched(over_http, other, seeds)
            cluster = await asyncio.to_thread(open_cluster, tmp_path / "postgres")
            await asyncio.to_thread(cluster.stop)
            await asyncio.to_thread(cluster.start)
            for server in (one, other):
                await asyncio.to_thread(until_ready, server)
            name = "after the restart.jpg"
            await asyncio.to_thread(other.upload, {name: picture(500)})
            for results in (over_socket, over_http):
                async with asyncio.timeout(60):
                    names = [""]
                    while names[-1] != name:
                        node = (await next_result(results))["data"]["imageMatched"]["node"]
                        names.append(node["filename"])
                assert len(set(names)) == len(names)
        one.process.send_signal(signal.SIGTERM)
        assert 0 == one.process.wait(timeout=60)


def until_ready(server: Server) -> None:
    for _ in range(600):
        if server.http.get("/readyz").status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError("".join(server.said))
