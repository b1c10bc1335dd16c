"""Searching in the gallery: words as they are typed, pictures, and what is put together of both."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from playwright.async_api import Error, expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.gallery import Gallery, best, eventually
from tests.browser.library import MANY, cards

if TYPE_CHECKING:
    from playwright.async_api import Route

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

HASTE = ("a castle in the snow", "two balloons", "a lighthouse at night")
AT_LAST = "a red sailboat at sunset"
NEWEST = "{ images(first: 20) { totalCount nodes { id altText } } }"


async def test_the_gallery_shows_the_newest_pictures_first(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library))
    images = library.ask(NEWEST)["images"]
    await gallery.shows([node["id"] for node in images["nodes"]])
    await expect(gallery.tiles.first).to_have_accessible_name(images["nodes"][0]["altText"])
    await expect(gallery.status).to_have_text("600 pictures")


async def test_results_come_as_one_types(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library))
    await gallery.search.press_sequentially("a castle")
    await gallery.answers({"text": "a castle"})
    await gallery.search.press_sequentially(" in the snow")
    await gallery.answers({"text": "a castle in the snow"})
    await expect(gallery.status).to_contain_text("that fit")
    await expect(gallery.page).to_have_title(re.compile("^a castle in the snow . Pictograph$"))
    await gallery.search.press("Escape")
    await expect(gallery.status).to_have_text("600 pictures")


async def test_a_hundred_quick_keystrokes_leave_one_right_answer_however_late_others_come(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    await expect(gallery.status).to_have_text("600 pictures")
    held: list[asyncio.Task[None]] = []

    async def hold(route: Route) -> None:
        # The earlier it was asked, the later it is answered.
        seconds = max(0.0, 2.0 - len(held) * 0.25)
        held.append(asyncio.create_task(_go_on(route, seconds)))

    await gallery.page.route("**/graphql", hold)
    await gallery.search.focus()
    keys = [key for text in HASTE for key in [*text, *["Backspace"] * len(text)]] + [*AT_LAST]
    assert len(keys) > 100
    for number, key in enumerate(keys):
        await gallery.page.keyboard.press(key)
        if not number % 13:
            await gallery.page.wait_for_timeout(160)  # long enough for a search to be sent
    right = await gallery.answers({"text": AT_LAST})
    await expect(gallery.status).to_contain_text("that fit")
    assert len(held) > 4
    await asyncio.gather(*held)
    await gallery.shows(right[:20])
    await expect(gallery.search).to_have_value(AT_LAST)
    ids = await gallery.ids()
    assert sorted(set(ids)) == sorted(ids)


async def test_what_is_less_certain_stands_apart(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library, "/?q=a+red+sailboat"))
    await expect(gallery.page.get_by_role("heading", name="Less certain")).to_be_visible()


async def test_a_word_behind_a_minus_is_left_out_and_comes_back_with_its_chip(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    await gallery.search.press_sequentially("a harbour -boats")
    blend = {"like": [{"term": {"text": "a harbour"}}], "unlike": [{"term": {"text": "boats"}}]}
    await gallery.answers({"blend": blend})
    await gallery.chips.get_by_role("button", name="Remove: Without boats").click()
    await expect(gallery.search).to_have_value("a harbour")
    await gallery.answers({"text": "a harbour"})
    await expect(gallery.chips).to_be_hidden()


async def test_more_like_this_and_without_this_make_a_blend(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library))
    liked, *_ = best(library, {"text": "a castle"})
    await gallery.search.fill("a castle")
    await gallery.answers({"text": "a castle"})
    await gallery.tiles.first.hover()
    await gallery.pictures.get_by_role("button", name="More like").first.click()
    like = [{"term": {"imageId": liked}}]
    found = await gallery.answers({"imageId": liked})
    await expect(gallery.search).to_have_value("")
    await expect(gallery.chips).to_contain_text("More like this")

    await gallery.tiles.nth(2).hover()
    await gallery.pictures.get_by_role("button", name="Without").nth(2).click()
    unlike = [{"term": {"imageId": found[2]}}]
    await gallery.answers({"blend": {"like": like, "unlike": unlike}})
    await expect(gallery.chips).to_contain_text("Without this")
    await gallery.chips.get_by_role("button", name="Remove: More like this").click()
    anything = [{"term": {"text": "a picture"}}]
    await gallery.answers({"blend": {"like": anything, "unlike": unlike}})


async def test_a_picture_is_searched_by_and_sent_once(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library, traced=False))
    card = cards(8)[7]
    async with gallery.page.expect_file_chooser() as chooser:
        await gallery.page.get_by_role("button", name="Search by a picture").click()
    await (await chooser.value).set_files(
        {"name": card.name, "mimeType": "image/jpeg", "buffer": card.content}
    )
    await expect(gallery.chips).to_contain_text("Like your picture")
    await expect(gallery.tiles.first).to_have_accessible_name(card.metadata.caption)
    await eventually(MANY, lambda: _scroll(gallery), patience_ms=5 * PATIENCE_MS)
    forms = [r for r in gallery.visitor.asked_for("/graphql") if _is_form(r.headers)]
    assert len(forms) == 1


async def test_the_address_holds_what_is_asked_and_back_and_forward_work(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    page = gallery.page
    await expect(gallery.status).to_have_text("600 pictures")
    await gallery.search.press_sequentially("a castle", delay=30)
    castles = await gallery.answers({"text": "a castle"})
    await gallery.filters.get_by_role("button", name=re.compile("^meadow")).click()
    meadow = await gallery.answers({"text": "a castle"}, tagsAll=["meadow"])
    await expect(page).to_have_url(f"{library.url}/?q=a+castle&tag=meadow")
    await gallery.tiles.first.click()
    await expect(gallery.detail).to_be_visible()

    await page.go_back()
    await expect(gallery.detail).to_be_hidden()
    await page.go_back()
    await gallery.shows(castles[:10])
    await page.go_back()
    await expect(gallery.status).to_have_text("600 pictures")
    await expect(gallery.search).to_have_value("")
    await page.go_forward()
    await gallery.shows(castles[:10])
    await page.go_forward()
    await gallery.shows(meadow[:10])
    await page.reload()
    await gallery.shows(meadow[:10])
    await expect(gallery.search).to_have_value("a castle")


async def _go_on(route: Route, seconds: float) -> None:
    await asyncio.sleep(seconds)
    try:
        await route.continue_()
    except Error:
        return  # the page has given it up


async def _scroll(gallery: Gallery) -> int:
    await gallery.page.mouse.move(800, 600)
    await gallery.page.mouse.wheel(0, 4000)
    return await gallery.tiles.count()


def _is_form(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").startswith("multipart/form-data")
