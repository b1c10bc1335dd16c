"""The gallery for everybody: axe finds nothing grave, in both themes and at both sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.async_api import expect

from tests.browser.files import File, drag, drop
from tests.browser.gallery import Gallery
from tests.browser.library import FEW, cards
from tests.browser.visitor import DESKTOP, PHONE
from tests.e2e.pictures import picture
from tests.e2e.process import KEY

if TYPE_CHECKING:
    from playwright.async_api import Page, ViewportSize

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

AXE = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => [id, ...nodes.map((node) => node.html + node.failureSummary)]);
}
"""
Scheme = Literal["light", "dark"]
LIGHT: Scheme = "light"
DARK: Scheme = "dark"

everywhere = pytest.mark.parametrize(
    ("size", "scheme"),
    [(DESKTOP, LIGHT), (DESKTOP, DARK), (PHONE, LIGHT), (PHONE, DARK)],
    ids=["desktop-light", "desktop-dark", "phone-light", "phone-dark"],
)


async def objections(page: Page, axe_source: str) -> object:
    """Return what axe finds to be serious or critical."""
    await page.wait_for_function(
        "() => document.getAnimations().every(({ playState, effect }) =>"
        " playState !== 'running' || effect.getComputedTiming().iterations === Infinity)"
    )
    await page.evaluate(axe_source)
    return await page.evaluate(AXE)


@everywhere
async def test_the_grid_with_a_search_and_chips(
    visit: Visit, library: Server, axe_source: str, size: ViewportSize, scheme: Scheme
) -> None:
    gallery = Gallery(await visit(library, size=size, scheme=scheme))
    await expect(gallery.status).to_have_text("600 pictures")
    [first, *_] = await gallery.ids()
    await gallery.page.goto(f"/?q=a+castle+-snow&like={first}&tag=night")
    await expect(gallery.chips).to_contain_text("Without snow")
    await expect(gallery.status).to_contain_text("fit")
    if size is PHONE:
        await gallery.page.get_by_role("button", name="Filters").click()
    await gallery.tiles.first.focus()
    assert [] == await objections(gallery.page, axe_source)
    assert not await gallery.is_wider_than_the_screen()


@everywhere
async def test_the_detail_view(
    visit: Visit, library: Server, axe_source: str, size: ViewportSize, scheme: Scheme
) -> None:
    gallery = Gallery(await visit(library, size=size, scheme=scheme))
    await gallery.tiles.first.click()
    similar = gallery.detail.get_by_role("region", name="Pictures like this one")
    await expect(similar.get_by_role("button")).to_have_count(8)
    await gallery.detail.get_by_text(re.compile(r"All \d+ EXIF tags")).click()
    await expect(gallery.detail.locator(".large.is-loaded")).to_be_visible()
    assert [] == await objections(gallery.page, axe_source)
    assert not await gallery.is_wider_than_the_screen()
    wide = "(element) => element.scrollWidth > element.clientWidth"
    assert not await gallery.detail.evaluate(wide)


@everywhere
async def test_the_upload_panel_with_what_was_refused(
    visit: Visit, few: Server, axe_source: str, size: ViewportSize, scheme: Scheme
) -> None:
    gallery = Gallery(await visit(few, size=size, scheme=scheme, key=KEY))
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    long = "a file whose name is far too long for the panel to show all of it at once.txt"
    files = [File.of(cards(1, after=FEW)[0]), File(long, "text/plain", b"Buy milk.")]
    await drop(gallery.page, files, on="Drop here to add to the library")
    await expect(gallery.uploads).to_contain_text("1 added, 1 not added")
    await expect(gallery.status).to_have_text(f"{FEW + 1} pictures")
    assert [] == await objections(gallery.page, axe_source)
    assert not await gallery.is_wider_than_the_screen()


@everywhere
async def test_the_empty_library_and_the_key_dialog(
    visit: Visit, empty: Server, axe_source: str, size: ViewportSize, scheme: Scheme
) -> None:
    gallery = Gallery(await visit(empty, size=size, scheme=scheme))
    await expect(gallery.page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    assert [] == await objections(gallery.page, axe_source)
    assert not await gallery.is_wider_than_the_screen()
    await gallery.page.get_by_role("button", name="Key for changes").click()
    await expect(gallery.key_dialog).to_be_visible()
    assert [] == await objections(gallery.page, axe_source)


async def test_dark_and_light_are_the_users_choice_and_tell_apart(
    visit: Visit, empty: Server
) -> None:
    shades = []
    for scheme in (LIGHT, DARK):
        page = (await visit(empty, scheme=scheme)).page
        colour = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades.append(sum(map(int, re.findall(r"\d+", colour)[:3])))
    light, dark = shades
    assert light > 600
    assert dark < 150


async def test_what_is_dragged_over_the_page_covers_it_with_two_choices(
    visit: Visit, few: Server, axe_source: str
) -> None:
    gallery = Gallery(await visit(few, size=PHONE))
    await expect(gallery.status).to_have_text(f"{FEW} pictures")
    await drag(gallery.page, [File("a.jpg", "image/jpeg", picture(1))])
    for choice in ("Drop here to search by this picture", "Drop here to add to the library"):
        await expect(gallery.page.get_by_text(choice)).to_be_in_viewport()
    assert [] == await objections(gallery.page, axe_source)
    assert not await gallery.is_wider_than_the_screen()
