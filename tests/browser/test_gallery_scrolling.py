"""What the gallery's page costs, and how it scrolls."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.gallery import Gallery, eventually
from tests.browser.library import MANY
from tests.browser.visitor import DESKTOP, PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visit
    from tests.browser.visitor import Visitor
    from tests.e2e.process import Server

LOADS = 5
TIMES = """
() => {
  const seen = [...document.querySelectorAll("main li img")]
    .filter((image) => image.getBoundingClientRect().top < innerHeight);
  if (!seen.length || !seen.every((image) => image.complete && image.naturalWidth)) return null;
  const came = seen.map(({ src }) => performance.getEntriesByName(src)[0].responseEnd);
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const [navigation] = performance.getEntriesByType("navigation");
  return [paint.startTime, navigation.loadEventEnd, Math.max(...came)];
}
"""
SHIFTS = "window.shifts"
PAGES = "{ images(first: 100%s) { nodes { id } pageInfo { endCursor } } }"


async def test_the_first_screen_is_thumbnails_and_its_time_and_bytes_are_reported(
    visit: Visit, library: Server, report: Callable[[str], None]
) -> None:
    loads = []
    for _ in range(LOADS):
        visitor = await visit(library, traced=False)
        await expect(Gallery(visitor).status).to_have_text(f"{MANY} pictures")
        loads.append(await (await visitor.page.wait_for_function(TIMES)).json_value())
    variants = {request.url.rsplit("/", 1)[1] for request in visitor.asked_for("^/images/")}
    assert {"thumbnail"} == variants
    page, asked, images = await _bytes(visitor)
    paint, loaded, seen = (f"{median(times):.0f} ms" for times in zip(*loads, strict=True))
    report(
        f"The gallery with {MANY} postcards, the median of {LOADS} first visits: painted after "
        f"{paint}, loaded after {loaded}, all thumbnails of the first screen here after {seen}; "
        f"page {page / 1000:.0f} kB, answers {asked / 1000:.0f} kB, "
        f"{len(visitor.asked_for('^/images/'))} thumbnails {images / 1000:.0f} kB."
    )


async def test_scrolling_shows_every_picture_once_and_nothing_moves(
    visit: Visit, library: Server
) -> None:
    visitor = await visit(library, traced=False)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text(f"{MANY} pictures")

    async def all_the_way() -> int:
        await visitor.page.mouse.move(800, 600)
        await visitor.page.mouse.wheel(0, 2500)
        return await gallery.tiles.count()

    await eventually(MANY, all_the_way, patience_ms=5 * PATIENCE_MS)
    assert _in_order(library) == await gallery.ids()
    originals = visitor.asked_for("^/images/.*/(original|large)$")
    assert [] == originals
    moved = await visitor.page.evaluate(SHIFTS)
    assert sum(value for value, *_ in moved) < 0.01, moved


async def test_a_search_scrolls_to_its_end_without_repeating_a_picture(
    visit: Visit, library: Server
) -> None:
    visitor = await visit(library, "/?q=a+lighthouse", size=PHONE, traced=False)
    gallery = Gallery(visitor)

    async def all_the_way() -> int:
        await visitor.page.mouse.move(180, 500)
        await visitor.page.mouse.wheel(0, 4000)
        return await gallery.tiles.count()

    await eventually(MANY, all_the_way, patience_ms=5 * PATIENCE_MS)
    assert MANY == len(set(await gallery.ids()))
    asked = [json.loads(r.post_data or "{}") for r in visitor.asked_for("^/graphql$")]
    by = [a["variables"]["by"] for a in asked if "query Search(" in a["query"]]
    assert {"text": "a lighthouse"} == by[0]
    assert {"searchId"} == {name for one in by[1:] for name in one}
    moved = await visitor.page.evaluate(SHIFTS)
    assert sum(value for value, *_ in moved) < 0.01, moved


async def test_a_screen_of_another_width_shows_the_same_pictures(
    visit: Visit, library: Server
) -> None:
    visitor = await visit(library)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text(f"{MANY} pictures")
    before = await gallery.ids()
    await visitor.page.set_viewport_size(PHONE)
    await gallery.shows(before[:20])
    assert not await gallery.is_wider_than_the_screen()
    await visitor.page.set_viewport_size(DESKTOP)
    await gallery.shows(before[:20])


async def _bytes(visitor: Visitor) -> tuple[int, int, int]:
    """Return how many bytes came for the page's files, for answers, and for pictures."""
    sums = {"^/(ui/.*)?$": 0, "^/graphql$": 0, "^/images/": 0}
    for path in sums:
        for request in visitor.asked_for(path):
            if await request.response():
                sizes = await request.sizes()
                sums[path] += sizes["responseBodySize"] + sizes["responseHeadersSize"]
    page, asked, images = sums.values()
    return page, asked, images


def _in_order(server: Server) -> list[str]:
    ids: list[str] = []
    after = ""
    while page := server.ask(PAGES % after)["images"]:
        ids += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["endCursor"]:
            break
        after = f", after: {json.dumps(page['pageInfo']['endCursor'])}"
    return ids
