"""The gallery in the words of those who use it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from playwright.async_api import expect

from tests.browser.conftest import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from playwright.async_api import Locator, Page

    from tests.browser.visitor import Visitor
    from tests.e2e.process import Server

T = TypeVar("T")

FIRST_PAGE = 40
SEARCH = """
query ($by: ImageSearchBy!, $filter: ImageFilter) {
  searchImages(by: $by, filter: $filter, first: 40) { relevantCount edges { band node { id } } }
}
"""
IDS = "links => links.map((link) => new URL(link.href).searchParams.get('image'))"
IS_WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Gallery:
    """What stands on the page, by role and name."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page: Page = visitor.page
        role = self.page.get_by_role
        self.search = role("searchbox", name="Search pictures by what they show")
        self.pictures = role("list", name="Pictures found")
        self.tiles = self.pictures.get_by_role("link")
        self.status = role("main").get_by_role("status")
        self.chips = role("group", name="What is searched for")
        self.filters = role("complementary", name="Filters")
        self.detail = role("dialog").and_(self.page.locator(".detail"))
        self.uploads = role("region", name="Pictures being added")
        self.key_dialog = role("dialog", name="Key for changes")

    async def ids(self) -> list[str]:
        """Return what the grid shows."""
        ids: list[str] = await self.tiles.evaluate_all(IDS)
        return ids

    async def shows(self, ids: list[str]) -> None:
        """Wait until the first pictures of the grid are these, and nothing else is on its way."""
        await expect(self.pictures).not_to_have_attribute("aria-busy", "true")

        async def first() -> list[str]:
            return (await self.ids())[: len(ids)]

        await eventually(ids, first)

    async def answers(self, by: Mapping[str, object], **narrowed: object) -> list[str]:
        """Wait until the grid shows the answer to a search, as the API has it, and return it."""
        ids = best(self.visitor.server, by, **narrowed)
        # What the screen has no full row for may wait for more.
        await self.shows(ids[: FIRST_PAGE // 2])
        return ids

    async def is_wider_than_the_screen(self) -> bool:
        """Tell whether one has to scroll sideways."""
        wider: bool = await self.page.evaluate(IS_WIDER)
        return wider

    def toast(self, text: str) -> Locator:
        """What is said in passing."""
        return self.page.locator(".toast").filter(has_text=text)


def best(server: Server, by: Mapping[str, object], **narrowed: object) -> list[str]:
    """Return the first page of a search in the gallery's order: sure ones before others."""
    edges = server.ask(SEARCH, by=by, filter={"statusIn": ["READY"], **narrowed})["searchImages"][
        "edges"
    ]
    sure = [edge["node"]["id"] for edge in edges if edge["band"] != "WEAK"]
    return sure + [edge["node"]["id"] for edge in edges if edge["band"] == "WEAK"]


async def eventually(
    expected: T, actual: Callable[[], Awaitable[T]], *, patience_ms: int = PATIENCE_MS
) -> None:
    """Wait until something is as expected, and fail with what it was last."""
    deadline = time.monotonic() + patience_ms / 1000
    while True:
        last = await actual()
        if last == expected or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.05)
    assert expected == last
