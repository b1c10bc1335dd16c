"""The gallery where there is nothing to show: an empty library, a closed one, a server away."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from postcards import MODEL
from tests.browser.files import File, drop
from tests.browser.gallery import Gallery
from tests.browser.library import FEW, cards, fill
from tests.e2e.process import KEY, Server, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Request, Route

    from tests.browser.conftest import Visit

REFUSED = "net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|FAILED)"
AWAY = re.compile(r"The server does not answer.* This page tries again by itself\.")


@pytest.fixture
def own(tmp_path: Path) -> dict[str, object]:
    """Settings of a server of the test's own, at an address that outlives it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return {"model": MODEL, "data_dir": tmp_path, "api_key": KEY, "port": port}


async def test_an_empty_library_says_how_to_begin_and_beginning_works(
    visit: Visit, empty: Server
) -> None:
    gallery = Gallery(await visit(empty, key=KEY))
    await expect(gallery.page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    main = gallery.page.get_by_role("main")
    await expect(main).to_contain_text("Drop some anywhere on this page")
    await expect(main).to_contain_text("pictograph import")
    async with gallery.page.expect_file_chooser():
        await main.get_by_role("button", name="Add pictures").click()
    files = [File.of(card) for card in cards(2)]
    await drop(gallery.page, files, on="Drop here to add to the library")
    await expect(gallery.tiles).to_have_count(2)
    await expect(gallery.status).to_have_text("2 pictures")
    await expect(gallery.page.get_by_role("heading", name="No pictures yet")).to_be_hidden()


async def test_a_search_of_an_empty_library_says_that_nothing_is_here(
    visit: Visit, empty: Server
) -> None:
    gallery = Gallery(await visit(empty, "/?q=a+castle"))
    await expect(gallery.page.get_by_role("heading", name="Nothing here")).to_be_visible()


async def test_a_stopped_server_is_shown_as_unreachable_until_it_answers_again(
    visit: Visit, own: dict[str, object]
) -> None:
    with ServerProcess.start(own) as server:
        fill(server, cards(FEW))
        visitor = await visit(server)
        gallery = Gallery(visitor)
        await expect(gallery.status).to_have_text(f"{FEW} pictures")
    visitor.expect_complaint(REFUSED)
    await gallery.search.fill("a castle")
    banner = gallery.page.get_by_role("alert").filter(has_text=AWAY)
    await expect(banner).to_be_visible()
    await expect(gallery.tiles).to_have_count(FEW)
    with ServerProcess.start(own) as visitor.server:
        await gallery.answers({"text": "a castle"})
        await expect(banner).to_be_hidden()


async def test_what_was_asked_last_is_answered_once_the_server_is_back(
    visit: Visit, library: Server
) -> None:
    visitor = await visit(library)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text("600 pictures")
    visitor.expect_complaint(REFUSED)

    async def cut(route: Route) -> None:
        await route.abort()

    def asks_for_a_lighthouse(request: Request) -> bool:
        return "a lighthouse" in (request.post_data or "")

    await gallery.page.route("**/graphql", cut)
    await gallery.search.fill("a castle")
    banner = gallery.page.get_by_role("alert").filter(has_text=AWAY)
    await expect(banner).to_be_visible()
    async with gallery.page.expect_request(asks_for_a_lighthouse):
        await gallery.search.fill("a lighthouse")
    async with gallery.page.expect_request(asks_for_a_lighthouse):
        await gallery.page.get_by_role("button", name="Try now").click()
    await gallery.page.unroute("**/graphql")
    await gallery.answers({"text": "a lighthouse"})
    await expect(banner).to_be_hidden()


async def test_a_closed_library_is_seen_with_a_key(visit: Visit, own: dict[str, object]) -> None:
    with ServerProcess.start({**own, "public_reading": "false"}) as server:
        fill(server, cards(3))
        visitor = await visit(server)
        visitor.expect_complaint("status of 401")
        gallery = Gallery(visitor)
        await gallery.page.get_by_role("button", name="Enter the key").click()
        await gallery.key_dialog.get_by_role("textbox", name="Key").fill(KEY)
        await gallery.key_dialog.get_by_role("button", name="Use this key").click()
        await expect(gallery.tiles).to_have_count(3)
        await expect(gallery.pictures.locator("img.is-loaded")).to_have_count(3)
        await gallery.tiles.first.click()
        await expect(gallery.detail.locator(".large.is-loaded")).to_be_visible()
