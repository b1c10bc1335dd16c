"""Bringing pictures to the gallery: to add, and to search by."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.files import File, drop, paste
from tests.browser.gallery import Gallery
from tests.browser.library import FEW, cards
from tests.e2e.pictures import picture
from tests.e2e.postcards import png
from tests.e2e.process import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Locator, Route

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

ADD, SEARCH = "Drop here to add to the library", "Drop here to search by this picture"
COUNT = "{ images(first: 0) { totalCount } }"
NEWEST = "{ images(first: 20) { nodes { filename } } }"


def line(gallery: Gallery, name: str) -> Locator:
    return gallery.uploads.get_by_role("listitem").filter(has_text=name)


async def test_dropped_pictures_are_added_and_each_file_says_what_became_of_it(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    files = [
        *(File.of(card) for card in cards(6, after=FEW)),
        File("notes.txt", "text/plain", b"Buy milk."),
        File("broken.jpg", "image/jpeg", picture(1)[:300]),
        File.of(cards(1)[0]),
    ]
    await drop(gallery.page, files, on=ADD)
    await expect(gallery.uploads).to_contain_text("6 added, 1 already in the library, 2 not added")
    for file in files[:6]:
        await expect(line(gallery, file.name)).to_contain_text("Added")
    await expect(line(gallery, files[-1].name)).to_contain_text("Already in the library")
    await expect(line(gallery, "notes.txt")).to_contain_text("JPEG")
    await expect(line(gallery, "broken.jpg")).not_to_contain_text("Added")

    await expect(gallery.status).to_have_text(f"{FEW + 6} pictures")
    names = [node["filename"] for node in few.ask(NEWEST)["images"]["nodes"]]
    assert {file.name for file in files[:6]} == set(names[:6])
    await expect(gallery.tiles.first).to_have_accessible_name(names[0])
    await gallery.uploads.get_by_role("button", name="Close").click()
    await expect(gallery.uploads).to_be_hidden()


async def test_progress_is_shown_while_files_are_sent_and_the_rest_can_be_stopped(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        is_form = "multipart" in (await route.request.header_value("content-type") or "")
        if is_form and len(held) < 3:
            held.append(route)
        else:
            await route.continue_()

    await gallery.page.route("**/graphql", hold)
    files = [File.of(card) for card in cards(8, after=FEW)]
    await drop(gallery.page, files, on=ADD)
    await expect(gallery.uploads).to_contain_text("Adding 1 of 8")
    await expect(gallery.uploads.get_by_role("progressbar", name="All pictures")).to_be_visible()
    sending = gallery.uploads.get_by_role("progressbar", name=f"Sending {files[0].name}")
    await expect(sending).to_be_visible()
    await expect(line(gallery, files[7].name)).to_contain_text("Waiting")
    await gallery.uploads.get_by_role("button", name="Stop and close").click()
    await expect(gallery.uploads).to_be_hidden()
    assert few.ask(COUNT) == {"images": {"totalCount": FEW}}


async def test_a_picture_that_the_server_did_not_get_can_be_sent_again(
    visit: Visit, few: Server
) -> None:
    visitor = await visit(few, key=KEY)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    visitor.expect_complaint("net::ERR_FAILED")

    async def cut(route: Route) -> None:
        is_form = "multipart" in (await route.request.header_value("content-type") or "")
        await (route.abort() if is_form else route.continue_())

    await gallery.page.route("**/graphql", cut)
    file = File.of(cards(1, after=FEW)[0])
    await drop(gallery.page, [file], on=ADD)
    await expect(line(gallery, file.name)).to_contain_text("does not answer")
    await gallery.page.unroute("**/graphql")
    await line(gallery, file.name).get_by_role("button", name="Try again").click()
    await expect(line(gallery, file.name)).to_contain_text("Added")


async def test_adding_asks_for_a_key_which_is_tried_and_kept_for_the_tab(
    visit: Visit, few: Server
) -> None:
    visitor = await visit(few)
    gallery = Gallery(visitor)
    page = gallery.page
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Add pictures").click()
    card = cards(1, after=FEW)[0]
    await (await chooser.value).set_files(
        {"name": card.name, "mimeType": "image/jpeg", "buffer": card.content}
    )
    await expect(gallery.key_dialog).to_contain_text("Adding pictures needs a key")
    visitor.expect_complaint("status of 401")
    field = gallery.key_dialog.get_by_role("textbox", name="Key")
    await field.fill("no such key")
    await field.press("Enter")
    await expect(gallery.key_dialog.get_by_role("alert")).to_contain_text("does not know this key")
    await field.fill(KEY)
    await field.press("Enter")
    await expect(gallery.key_dialog).to_be_hidden()
    await expect(gallery.uploads).to_contain_text("1 added")
    assert KEY == await page.evaluate("sessionStorage.getItem('pictograph.key')")
    assert "" == await page.evaluate("document.cookie + Object.keys(localStorage)")
    await page.reload()
    assert KEY == await page.evaluate("sessionStorage.getItem('pictograph.key')")

    await page.get_by_role("button", name="Key for changes").click()
    await gallery.key_dialog.get_by_role("button", name="Forget it").click()
    assert await page.evaluate("sessionStorage.getItem('pictograph.key')") is None


async def test_a_dropped_picture_is_searched_by(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few))
    card = cards(FEW)[4]
    await drop(gallery.page, [File.of(card)], on=SEARCH)
    await expect(gallery.chips).to_contain_text("Like your picture")
    await expect(gallery.tiles.first).to_have_accessible_name(card.metadata.caption)
    await expect(gallery.tiles).to_have_count(FEW)
    assert few.ask(COUNT) == {"images": {"totalCount": FEW}}


async def test_several_pictures_can_only_be_added(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    files = [File.of(card) for card in cards(2, after=FEW)]
    await drop(gallery.page, files, on=ADD)
    await expect(gallery.page.get_by_text(SEARCH)).to_be_hidden()
    await expect(gallery.uploads).to_contain_text("2 added")


async def test_a_pasted_picture_is_searched_by_or_added(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    card = cards(FEW)[2]
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    await paste(gallery.page, png(card.metadata.scene))
    await expect(gallery.chips).to_contain_text("Like your picture")
    await expect(gallery.tiles.first).to_have_accessible_name(card.metadata.caption)
    await gallery.page.get_by_role("button", name="Add it instead").click()
    await expect(gallery.uploads).to_contain_text("1 added")


async def test_a_file_that_is_no_picture_cannot_be_searched_by(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few))
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    await drop(gallery.page, [File("notes.txt", "text/plain", b"Buy milk.")], on=SEARCH)
    await expect(gallery.toast("notes.txt cannot be searched by")).to_be_visible()
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    await expect(gallery.pictures).not_to_have_attribute("aria-busy", "true")


async def test_a_limit_of_a_proxy_is_told_by_its_name(visit: Visit, few: Server) -> None:
    visitor = await visit(few, key=KEY)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    visitor.expect_complaint("status of 413")

    async def refuse(route: Route) -> None:
        is_form = "multipart" in (await route.request.header_value("content-type") or "")
        page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
        if is_form:
            await route.fulfill(status=413, content_type="text/html", body=page)
        else:
            await route.continue_()

    await gallery.page.route("**/graphql", refuse)
    file = File.of(cards(1, after=FEW)[0])
    await drop(gallery.page, [file], on=ADD)
    await expect(line(gallery, file.name)).to_contain_text("The proxy in front of the server")
    await expect(line(gallery, file.name)).to_contain_text("413")


@pytest.mark.parametrize("answer", ["page", "redirect"])
async def test_a_login_page_in_place_of_the_server_is_told_by_its_name(
    visit: Visit, few: Server, answer: str
) -> None:
    visitor = await visit(few, key=KEY)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    visitor.expect_complaint("policy")

    async def log_in(route: Route) -> None:
        if answer == "page":
            body = "<!doctype html><form>Password</form>"
            await route.fulfill(status=200, content_type="text/html", body=body)
        else:
            await route.fulfill(status=302, headers={"Location": "https://login.example/"})

    await gallery.page.route("**/graphql", log_in)
    await gallery.search.fill("a boat")
    await gallery.search.press("Enter")
    await expect(gallery.page.get_by_text("A login page answered").first).to_be_visible()


async def test_a_file_that_is_gone_since_it_was_chosen_is_told_by_its_name(
    visit: Visit, few: Server, tmp_path: Path
) -> None:
    visitor = await visit(few, key=KEY)
    gallery = Gallery(visitor)
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    visitor.expect_complaint("net::ERR_")
    paths = []
    for card in cards(4, after=FEW):
        paths.append(tmp_path / card.name)
        paths[-1].write_bytes(card.content)
    go_on = asyncio.Event()

    async def hold(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await gallery.page.route("**/graphql", hold)
    async with gallery.page.expect_file_chooser() as chooser:
        await gallery.page.get_by_role("button", name="Add pictures").click()
    await (await chooser.value).set_files(paths)
    await expect(line(gallery, paths[3].name)).to_contain_text("Waiting")
    paths[3].unlink()
    go_on.set()
    await expect(line(gallery, paths[3].name)).to_contain_text("cannot be read")
    await expect(gallery.uploads).to_contain_text("3 added, 1 not added")


async def test_a_dropped_folder_is_told_by_its_name(
    visit: Visit, few: Server, tmp_path: Path
) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    (tmp_path / "holiday").mkdir()
    client = await gallery.page.context.new_cdp_session(gallery.page)
    data = {"items": [], "files": [str(tmp_path / "holiday")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 600, "y": 500, "data": data}
        await client.send("Input.dispatchDragEvent", event)
    await expect(gallery.toast("holiday is a folder")).to_be_visible()
    await expect(gallery.uploads).to_be_hidden()
