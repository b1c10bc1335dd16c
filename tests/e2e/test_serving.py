"""A server on defaults: take in, find, serve, delete."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, ServerProcess, environment, typed_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEARCH = """
query ($text: String!) {
  searchImages(by: {text: $text}, first: 100) {
    searchId edges { score node { id filename url(variant: THUMBNAIL) } }
  }
}
"""
COUNT = "{ images(first: 0) { totalCount } }"
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds userErrors { message } } }"  # noqa: E501


@pytest.fixture(scope="module")
def server(settings: dict[str, object]) -> Iterator[Server]:
    with ServerProcess.start(settings) as server:
        yield server


def _delete_everything(server: Server) -> None:
    nodes = server.ask("{ images(first: 100) { nodes { id } } }")["images"]["nodes"]
    server.ask(DELETE, ids=[node["id"] for node in nodes])
    assert server.ask(COUNT) == {"images": {"totalCount": 0}}


def test_a_server_with_nothing_configured_is_ready(server: Server, model: Path) -> None:
    assert server.http.get("/healthz").status_code == 200
    ready = server.http.get("/readyz")
    assert ready.status_code == 200
    names = ("model", "database", "migrations", "changes", "storage")
    assert {"status": "ready", "checks": dict.fromkeys(names, "ok")} == ready.json()
    service = server.ask("{ service { model { name dimensions state embeddedCount } } }")["service"]
    name = service["model"].pop("name")
    assert name.startswith(f"{model.name}@")
    assert service["model"] == {"dimensions": 192, "state": "ACTIVE", "embeddedCount": 0}


IMPORTED = """
import asyncio, sys
from infra.settings import read_settings
from pictograph.app import open_pictograph

async def main():
    async with open_pictograph(read_settings(), serving=True) as pictograph:
        pictograph.use_cases

asyncio.run(main())
print([name for name in ("torch", "transformers", "alembic", "aiobotocore") if name in sys.modules])
"""


def test_a_second_server_imports_no_library_that_it_can_do_without(
    server: Server, settings: dict[str, object]
) -> None:
    # The first one has converted the model, and migrated the database.
    assert server.http.get("/readyz").status_code == 200
    printed = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        env=environment(settings | {"device": "cpu"}),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "[]" == printed.strip()


def test_a_picture_is_findable_as_soon_as_its_upload_returns(server: Server) -> None:
    for number in range(10):
        uploaded = server.upload({f"{number}.jpg": picture(number)})["results"][0]["image"]["id"]
        found = server.ask(SEARCH, text=f"picture {number}")["searchImages"]["edges"]
        assert uploaded in [edge["node"]["id"] for edge in found]
        by_example = server.multipart(
            {
                "query": "query ($image: Upload!) { searchImages(by: {image: $image}, first: 1)"
                " { edges { score node { id } } } }",
                "variables": {"image": None},
            },
            "variables.image",
            {"example.jpg": picture(number)},
        )["searchImages"]["edges"]
        assert uploaded == by_example[0]["node"]["id"]
        assert by_example[0]["score"] > 0.999
    _delete_everything(server)


def test_a_hundred_concurrent_uploads_of_twenty_pictures_leave_twenty(
    server: Server, settings: dict[str, object]
) -> None:
    files = {f"{number}.jpg": picture(100 + number) for number in range(20)}
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda _: server.upload(files), range(100)))
    assert all(answer["userErrors"] == [] for answer in answers)
    ids = {tuple(result["image"]["id"] for result in answer["results"]) for answer in answers}
    assert len(ids) == 1
    new = [not result["isDuplicate"] for answer in answers for result in answer["results"]]
    assert sum(new) == 20
    assert server.ask(COUNT) == {"images": {"totalCount": 20}}
    assert len(_kept_files(settings)) == 2 * 20
    _delete_everything(server)
    assert _kept_files(settings) == []


def test_a_search_does_not_wait_for_a_bulk_upload(server: Server) -> None:
    batches = [{f"{n}.jpg": picture(n, side=512) for n in range(b, b + 20)} for b in (200, 220)]
    with ThreadPoolExecutor(2) as clients:
        uploads = [clients.submit(server.upload, batch) for batch in batches]
        answers = 0
        while not all(upload.done() for upload in uploads):
            server.ask(SEARCH, text=f"text {answers}")
            answers += 1
        assert all(upload.result()["userErrors"] == [] for upload in uploads)
    assert answers >= 2
    _delete_everything(server)


def _kept_files(settings: dict[str, object]) -> list[Path]:
    folder = settings["data_dir"]
    assert hasattr(folder, "rglob")
    return [path for path in (folder / "files").glob("*/*/*") if path.is_file()]  # type: ignore[operator]  # narrowed above


def test_a_server_that_is_told_to_stop_is_not_ready_and_answers_until_it_is_drained(
    model: Path, postgres_url: str, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "model": model,
        "data_dir": tmp_path,
        "database_url": typed_url(postgres_url),
        "api_key": KEY,
        "drain_seconds": 5,
    }
    live = 'subscription { imageMatched(by: {text: "a kite"}) { cursor } }'
    events = {"Accept": "text/event-stream"}
    with ServerProcess.start(settings) as server:
        assert server.http.get("/readyz").status_code == 200
        with server.http.stream("POST", "/graphql", json={"query": live}, headers=events) as stream:
            server.process.send_signal(signal.SIGTERM)
            while server.http.get("/readyz").status_code == 200:
                pass
            assert {"status": "stopping", "checks": {}} == server.http.get("/readyz").json()
            assert {"__typename": "Query"} == server.ask("{ __typename }")
            ended = stream.read().decode()
        assert "The server is stopping; subscribe again." in ended
        assert ended.endswith("event: complete\ndata:\n\n")
        assert server.process.wait(timeout=60) == 0
