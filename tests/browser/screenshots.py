"""``make screenshots``: the gallery as the README shows it, two sizes in both themes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.browser.gallery import Gallery
from tests.browser.visitor import DESKTOP, PHONE

if TYPE_CHECKING:
    from playwright.async_api import ViewportSize

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

DOCS = Path(__file__).parents[2] / "docs"
SEARCH = "/?q=a+red+sailboat+at+sunset"
SEEN = """
[...document.querySelectorAll("main li img, dialog[open] img")]
  .filter((image) => image.getBoundingClientRect().top < innerHeight)
  .every((image) => image.complete && image.classList.contains("is-loaded"))
"""
STILL = "document.getAnimations().length === 0"
SHARP = {"desktop": 1.5, "phone": 2}
MOST_BYTES = 250_000


@pytest.mark.parametrize(("name", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
async def test_the_grid_in_light(
    visit: Visit, library: Server, name: str, size: ViewportSize
) -> None:
    gallery = Gallery(await visit(library, SEARCH, size=size, scheme="light", sharp=SHARP[name]))
    await expect(gallery.status).to_contain_text("fit")
    await keep(gallery, f"gallery-{name}-light")


@pytest.mark.parametrize(("name", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
async def test_a_picture_in_dark(
    visit: Visit, library: Server, name: str, size: ViewportSize
) -> None:
    gallery = Gallery(await visit(library, SEARCH, size=size, scheme="dark", sharp=SHARP[name]))
    await expect(gallery.status).to_contain_text("fit")
    await gallery.tiles.first.click()
    similar = gallery.detail.get_by_role("region", name="Pictures like this one")
    await expect(similar.get_by_role("button")).to_have_count(8)
    await keep(gallery, f"gallery-{name}-dark")


async def keep(gallery: Gallery, name: str) -> None:
    """Write what stands on the screen as soon as it stands still."""
    await gallery.page.wait_for_function(SEEN)
    await gallery.page.wait_for_function(STILL)
    shot = Image.open(io.BytesIO(await gallery.page.screenshot()))
    path = DOCS / f"{name}.webp"
    shot.save(path, "WEBP", quality=80, method=6)
    assert path.stat().st_size < MOST_BYTES
