"""The gallery by keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.gallery import Gallery
from tests.browser.library import FEW
from tests.e2e.process import KEY

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.e2e.process import Server


async def test_one_searches_walks_opens_and_closes_without_a_pointer(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    await expect(gallery.status).to_have_text("600 pictures")
    press = gallery.page.keyboard.press
    await press("/")
    await expect(gallery.search).to_be_focused()
    await gallery.page.keyboard.type("a castle")
    await gallery.answers({"text": "a castle"})
    await press("ArrowDown")
    await expect(gallery.tiles.nth(0)).to_be_focused()
    await press("ArrowRight")
    await press("ArrowRight")
    await press("ArrowLeft")
    await expect(gallery.tiles.nth(1)).to_be_focused()
    await press("ArrowDown")
    await expect(gallery.tiles.nth(1)).not_to_be_focused()
    await press("ArrowUp")
    await press("Home")
    await expect(gallery.tiles.nth(0)).to_be_focused()

    await press("ArrowRight")
    await press("Enter")
    await expect(gallery.detail).to_be_visible()
    await expect(gallery.detail.get_by_role("button", name="Close")).to_be_focused()
    await press("ArrowRight")
    third = await gallery.tiles.nth(2).locator("img").get_attribute("alt") or ""
    await expect(gallery.detail).to_have_accessible_name(third)
    await press("Escape")
    await expect(gallery.detail).to_be_hidden()
    await expect(gallery.tiles.nth(2)).to_be_focused()
    await expect(gallery.page).to_have_url(f"{library.url}/?q=a+castle")


async def test_the_grid_is_one_stop_of_the_tab_key_with_its_actions_behind(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    await expect(gallery.status).to_have_text("600 pictures")
    await gallery.page.get_by_role("combobox", name="Order").focus()
    press = gallery.page.keyboard.press
    await press("Tab")
    await expect(gallery.tiles.first).to_be_focused()
    await press("Tab")
    more = gallery.pictures.get_by_role("button", name="More like")
    await expect(more.first).to_be_focused()
    await press("Tab")
    await press("Tab")
    await expect(gallery.pictures.locator(":focus")).to_have_count(0)
    await press("Shift+Tab")
    await press("Shift+Tab")
    [first, *_] = await gallery.ids()
    await press("Enter")
    await gallery.answers({"imageId": first})


async def test_the_first_stop_leads_past_the_bar_to_the_pictures(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    await expect(gallery.status).to_have_text("600 pictures")
    await gallery.page.keyboard.press("Tab")
    skip = gallery.page.get_by_role("link", name="Skip to the pictures")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await gallery.page.keyboard.press("Enter")
    await expect(gallery.page.get_by_role("main")).to_be_focused()


async def test_a_picture_is_tagged_and_deleted_and_the_focus_stays_in_the_grid(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    await expect(gallery.tiles).to_have_count(FEW)
    second = await gallery.tiles.nth(1).locator("img").get_attribute("alt") or ""
    press = gallery.page.keyboard.press
    await gallery.tiles.first.focus()
    await press("Enter")
    field = gallery.detail.get_by_role("combobox", name="Tags")
    await field.focus()
    await gallery.page.keyboard.type("dear")
    await press("Enter")
    await expect(gallery.detail.get_by_role("button", name="the tag dear")).to_be_visible()
    await expect(field).to_be_focused()
    await gallery.detail.get_by_role("button", name="Delete").focus()
    await press("Enter")
    await expect(gallery.tiles).to_have_count(FEW - 1)
    await expect(gallery.tiles.first).to_be_focused()
    await expect(gallery.tiles.first).to_have_accessible_name(second)
    await gallery.page.get_by_role("button", name="Undo").press("Enter")
    await expect(gallery.tiles).to_have_count(FEW)


async def test_the_key_dialog_opens_and_closes_and_gives_the_focus_back(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few))
    button = gallery.page.get_by_role("button", name="Key for changes")
    await button.press("Enter")
    await expect(gallery.key_dialog).to_be_visible()
    await expect(gallery.key_dialog.get_by_role("textbox", name="Key")).to_be_focused()
    await gallery.page.keyboard.press("Escape")
    await expect(gallery.key_dialog).to_be_hidden()
    await expect(button).to_be_focused()
