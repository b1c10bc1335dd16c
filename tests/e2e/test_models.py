"""Changing the model of a server that is searched, filled and emptied meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from infra.opening import open_database
from infra.settings import read_settings
from tests.e2e.pictures import picture
from tests.e2e.postcards import fill
from tests.e2e.process import COMMAND, KEY, Server, environment, pictograph
from tests.e2e.second_model import second_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 240
SEARCH = """
query ($text: String!, $first: Int!, $after: String) {
  searchImages(by: {text: $text}, first: $first, after: $after) {
    searchId pageInfo { endCursor } nodes { id } relevantCount explain { model }
  }
}
"""
AGAIN = """
query ($id: ID!) { searchImages(by: {searchId: $id}, first: 100) { nodes { id } } }
"""
MODELS = "{ models { name state embeddedCount } service { model { name embeddedCount } } }"
IDS = "{ images(first: 100) { nodes { id } } }"
DELETE = """
mutation ($ids: [ID!]!) {
  deleteImages(input: {ids: $ids}) { deletedImageIds userErrors { message } }
}
"""
QUERIES = ("a red sailboat at sunset", "a castle", "two cars", "a train in a harbour")


@pytest.fixture(scope="module")
def second(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return second_model(model, tmp_path_factory.mktemp("models") / "second")


@dataclass
class Traffic:
    """Searches, uploads and deletes without a pause, and what is to be there after them."""

    server: Server
    failures: list[str] = field(default_factory=list)
    searches: int = 0
    answered_by: set[str] = field(default_factory=set)
    uploaded: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()

        def again_and_again(work: Callable[[int], None]) -> None:
            number = 0
            while not stop.is_set():
                try:
                    work(number)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is to be told
                    self.failures.append(repr(error))
                number += 1

        with ThreadPoolExecutor(2) as clients:
            works = [clients.submit(again_and_again, each) for each in (self._search, self._churn)]
            try:
                yield
            finally:
                stop.set()
        for work in works:
            work.result()

    def _search(self, number: int) -> None:
        query = QUERIES[number % len(QUERIES)]
        page = self.server.ask(SEARCH, text=query, first=5)["searchImages"]
        behind = self.server.ask(SEARCH, text=query, first=5, after=page["pageInfo"]["endCursor"])[
            "searchImages"
        ]
        assert page["explain"] == behind["explain"], "a page by another model"
        again = self.server.ask(AGAIN, id=page["searchId"])["searchImages"]["nodes"]
        assert again, "nothing found"
        self.answered_by.add(page["explain"]["model"].partition("@")[0])
        self.searches += 1

    def _churn(self, number: int) -> None:
        """Take three in and delete the first of them."""
        files = {f"{number} {n}.jpg": picture(10_000 + 3 * number + n) for n in range(3)}
        ids = [each["image"]["id"] for each in self.server.upload(files)["results"]]
        self.uploaded.update(ids)
        [gone] = self.server.ask(DELETE, ids=ids[:1])["deleteImages"]["deletedImageIds"]
        self.deleted.add(gone)
        time.sleep(0.5)


def until(server: Server, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what the models are once it is so."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        told = server.ask(MODELS)
        if condition(told):
            return told
        time.sleep(0.1)
    raise AssertionError(server.ask(MODELS), "".join(server.said))


def is_in(state: str, name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda told: any(
        each["name"].startswith(f"{name}@") and each["state"] == state for each in told["models"]
    )


def answers(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda told: bool(told["service"]["model"]["name"].startswith(f"{name}@"))


def say(*arguments: str, settings: dict[str, object]) -> str:
    """Run a command that is to succeed, and return what it says."""
    done = pictograph("models", *arguments, settings=settings)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def every_id(server: Server) -> set[str]:
    """Go through all images, page by page."""
    ids: set[str] = set()
    after = None
    listing = """
    query ($after: String) {
      images(first: 100, after: $after) { pageInfo { endCursor hasNextPage } nodes { id } }
    }
    """
    while True:
        page = server.ask(listing, after=after)["images"]
        ids.update(node["id"] for node in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            return ids
        after = page["pageInfo"]["endCursor"]


def findable(server: Server) -> set[str]:
    """Go through all that a search finds, page by page."""
    ids: set[str] = set()
    after = None
    while True:
        page = server.ask(SEARCH, text="a picture", first=100, after=after)["searchImages"]
        if not page["nodes"]:
            return ids
        ids.update(node["id"] for node in page["nodes"])
        after = page["pageInfo"]["endCursor"]


def test_a_model_changes_while_everything_goes_on(
    model: Path, second: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with Server.start(settings) as server:
        fill(server)
        here = every_id(server)
        traffic = Traffic(server)
        with traffic.running():
            opened = server.ask(SEARCH, text="a castle", first=3)["searchImages"]
            after = opened["pageInfo"]["endCursor"]
            behind = server.ask(SEARCH, text="a castle", first=20, after=after)["searchImages"]

            assert "is backfilling" in say("add", str(second), settings=settings)
            until(server, is_in("READY", "second"))
            compared = say("compare", "a castle", "--with", "sec", settings=settings)
            assert "overlap@10" in compared
            assert "second@" in say("promote", "second", settings=settings)
            until(server, answers("second"))

            # Who went through the pages of the old model goes on doing so.
            now = server.ask(SEARCH, text="a castle", first=20, after=after)["searchImages"]
            assert behind["explain"] == now["explain"]
            assert _left(behind, traffic) == _left(now, traffic)

            assert "model@" in say("rollback", settings=settings)
            until(server, answers("model"))
            assert "second@" in say("rollback", settings=settings)
            until(server, answers("second"))
            say("drop", "model", settings=settings)
            until(server, is_in("RETIRED", "model"))
        assert [] == traffic.failures
        assert {"model", "second"} == traffic.answered_by
        expired = server.http.post(
            "/graphql",
            json={
                "query": SEARCH,
                "variables": {"text": "a castle", "first": 3, "after": after},
            },
        ).json()
        assert "SEARCH_EXPIRED" == expired["errors"][0]["extensions"]["code"]
        expected = (here | traffic.uploaded) - traffic.deleted
        assert expected == every_id(server)
        until(server, lambda told: told["service"]["model"]["embeddedCount"] == len(expected))
        told = until(server, lambda told: told["models"][1]["embeddedCount"] == len(expected))
        assert ["RETIRED", "ACTIVE"] == [each["state"] for each in told["models"]]
        assert expected == findable(server)
    # The library knows which model it has now, whatever it began with.
    with Server.start(settings) as server:
        until(server, answers("second"))
        assert expected == findable(server)


def _left(page: dict[str, Any], traffic: Traffic) -> list[str]:
    return [node["id"] for node in page["nodes"] if node["id"] not in traffic.deleted]


@contextmanager
def killed_server(settings: dict[str, object]) -> Iterator[Server]:
    """Run a server until the block ends, and then kill it."""
    with Server.start(settings) as server:
        yield server
        server.process.kill()
        server.process.wait(timeout=60)
    pass_time(settings)


def pass_time(settings: dict[str, object]) -> None:
    """Let the leases of those who were killed run out."""

    async def expire() -> None:
        given = read_settings(data_dir=settings["data_dir"])
        async with open_database(given) as engine, engine.begin() as connection:
            await connection.execute(
                text("UPDATE work SET due_at = now() WHERE due_at < 'infinity'")
            )

    asyncio.run(expire())


def kill_when(
    server: Server,
    condition: Callable[[dict[str, Any]], bool],
    *arguments: str,
    settings: dict[str, object],
) -> None:
    """Kill a command as soon as something is so, if it has not ended by then."""
    process = subprocess.Popen(
        [*COMMAND, "models", *arguments],
        env=environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(server, condition)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)


def test_whoever_is_killed_at_whatever_step_the_next_ends_what_was_begun(
    model: Path, second: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with killed_server(settings) as server:
        fill(server)
        here = every_id(server)
        kill_when(
            server, lambda told: len(told["models"]) > 1, "add", str(second), settings=settings
        )
        say("add", str(second), settings=settings)
        until(server, lambda told: told["models"][-1]["embeddedCount"] > 0)
    with killed_server(settings) as server:
        until(server, answers("model"))
        [gone] = server.ask(DELETE, ids=[min(here)])["deleteImages"]["deletedImageIds"]
        here.remove(gone)
        until(server, lambda told: told["models"][-1]["embeddedCount"] == len(here))
    # Between the last picture and the index, or just after it.
    with killed_server(settings) as server:
        until(server, is_in("READY", "second"))
        kill_when(server, answers("second"), "promote", "second", settings=settings)
        until(server, is_in("ACTIVE", "second"))
    with Server.start(settings) as server:
        until(server, answers("second"))
        kill_when(server, is_in("RETIRED", "model"), "drop", "model", settings=settings)
        assert "model@" in say("drop", "model", settings=settings)
        told = server.ask(MODELS)["models"]
        assert [("RETIRED", 0), ("ACTIVE", len(here))] == [
            (each["state"], each["embeddedCount"]) for each in told
        ]
        assert here == every_id(server) == findable(server)
        # Nothing of the old model is left in the way of its return.
        assert "is backfilling" in say("add", str(model), settings=settings)
        until(server, is_in("READY", "model"))


def test_a_server_that_cannot_load_the_promoted_model_goes_on(
    model: Path, second: Path, tmp_path: Path
) -> None:
    moving = tmp_path / "moving"
    shutil.copytree(second, moving)
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path / "data", "api_key": KEY}
    with Server.start(settings) as server:
        server.upload({"0.jpg": picture(0)})
        say("add", str(moving), settings=settings)
        until(server, is_in("READY", "moving"))
    (moving / "config.json").rename(moving / "gone.json")
    with Server.start(settings) as server:
        server.wait_for(r"(moving@\w+ cannot be loaded)")
        say("promote", "moving", settings=settings)
        server.wait_for(r"(model@\w+ goes on answering)")
        assert server.ask(SEARCH, text="a picture", first=5)["searchImages"]["nodes"]
        assert is_in("ACTIVE", "moving")(server.ask(MODELS))
    # At a start there is none that goes on.
    refused = pictograph("search", "a picture", settings=settings)
    assert 1 == refused.returncode
    assert "holds no config.json" in refused.stderr
