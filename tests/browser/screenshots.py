"""``make screenshots``: the gallery as the README shows it, two sizes in both themes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageOps
from playwright.async_api import expect

from tests.browser.gallery import Gallery
from tests.browser.library import library_of_many
from tests.browser.visitor import DESKTOP, PHONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

FILE = Path(__file__).parents[2] / "docs" / "gallery.webp"
SEARCH = "/?q=a+castle+in+the+snow"
PICTURE = "A large pink castle, a large blue kite"
SEEN = """
() => [...document.querySelectorAll("main li img, dialog[open] img")]
  .filter((image) => image.getBoundingClientRect().top < innerHeight)
  .every((image) => image.complete && image.classList.contains("is-loaded"))
"""
STILL = "() => document.getAnimations().length === 0"
HIGH, GAP, EDGE, GREY = 800, 24, 1, "#8886"
MOST_BYTES = 250_000


@pytest.fixture(scope="session")
def library() -> Iterator[Server]:
    """A server with postcards as large as they are shown."""
    with library_of_many(scale=2) as server:
        yield server


async def test_the_gallery_is_shown_wide_and_narrow_light_and_dark(
    visit: Visit, library: Server
) -> None:
    shots = []
    for size in (DESKTOP, PHONE):
        gallery = Gallery(await visit(library, SEARCH, size=size, scheme="light", sharp=1.25))
        await expect(gallery.status).to_contain_text("fit")
        shots.append(await shot(gallery))
    for size in (PHONE, DESKTOP):
        gallery = Gallery(await visit(library, SEARCH, size=size, scheme="dark", sharp=1.25))
        await gallery.pictures.get_by_role("link", name=PICTURE).click()
        similar = gallery.detail.get_by_role("region", name="Pictures like this one")
        await expect(similar.get_by_role("button")).to_have_count(8)
        shots.append(await shot(gallery))
    wide = shots[0].width + GAP + shots[1].width
    sheet = Image.new("RGBA", (wide, 2 * shots[0].height + GAP))
    for number, picture in enumerate(shots):
        left = number % 2 * (wide - picture.width)
        sheet.paste(picture, (left, number // 2 * (picture.height + GAP)))
    sheet.save(FILE, "WEBP", quality=80, method=6)
    assert FILE.stat().st_size < MOST_BYTES


async def shot(gallery: Gallery) -> Image.Image:
    """Return what stands on the screen as soon as it stands still, all equally high."""
    await gallery.page.wait_for_function(SEEN)
    await gallery.page.wait_for_function(STILL)
    picture = Image.open(io.BytesIO(await gallery.page.screenshot())).convert("RGBA")
    size = (round(picture.width * HIGH / picture.height), HIGH)
    return ImageOps.expand(picture.resize(size, Image.Resampling.LANCZOS), EDGE, GREY)
