"""What tests of a change of model share: traffic without a pause, and what the models are."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.pictures import picture
from tests.e2e.process import pictograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.process import Server

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
