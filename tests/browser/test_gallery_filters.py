"""Narrowing down in the gallery's side bar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.gallery import Gallery
from tests.browser.visitor import PHONE

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

FIRST = """
query ($filter: ImageFilter) {
  images(first: 10, filter: $filter) { totalCount nodes { id } }
}
"""
FACETS = """
{ images(first: 0) { facets { cameras { value count } tags { value count } } } }
"""
VILLAGE = {"latitude": 43.47, "longitude": 11.88, "radiusKm": 25.0}


async def test_months_cameras_and_tags_narrow_the_library_and_say_how_many_are_left(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    facets = library.ask(FACETS)["images"]["facets"]
    camera, tag = facets["cameras"][0], facets["tags"][1]
    button = gallery.filters.get_by_role("button", name=f"{camera['value']} {camera['count']}")
    await button.click()
    await shows(gallery, cameraModelIn=[camera["value"]])
    await expect(button).to_have_attribute("aria-pressed", "true")

    await gallery.filters.get_by_role("button", name=re.compile(f"^{tag['value']} ")).click()
    await shows(gallery, cameraModelIn=[camera["value"]], tagsAll=[tag["value"]])

    month = gallery.filters.get_by_role("group", name="Taken").get_by_role("button").last
    await expect(month).to_have_accessible_name(re.compile(r"^\w+ \d{4}: \d+$"))
    await month.click()
    await expect(month).to_have_attribute("aria-pressed", "true")
    [address] = re.findall(r"month=(\d{4}-\d\d)", gallery.page.url)
    year, number = map(int, address.split("-"))
    after = f"{year + number // 12}-{number % 12 + 1:02}"
    taken = {"gte": f"{address}-01T00:00:00", "lt": f"{after}-01T00:00:00"}
    await shows(
        gallery, cameraModelIn=[camera["value"]], tagsAll=[tag["value"]], takenAtLocal=taken
    )

    await gallery.filters.get_by_role("button", name="Clear").click()
    await shows(gallery)
    await expect(gallery.page).to_have_url(f"{library.url}/")


async def test_a_place_and_a_radius_narrow_the_library(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library))
    place = gallery.filters.get_by_role("textbox", name="Latitude, longitude")
    await place.fill("Arezzo")
    await place.press("Enter")
    await expect(gallery.filters.get_by_role("alert")).to_contain_text("43.47, 11.88")
    await place.fill("43.47, 11.88")
    await place.press("Enter")
    await shows(gallery, near=VILLAGE)
    await expect(gallery.filters.get_by_role("alert")).to_be_hidden()
    await gallery.filters.get_by_role("combobox", name="Within").select_option("500 km")
    await shows(gallery, near={**VILLAGE, "radiusKm": 500.0})


async def test_filters_narrow_a_search_and_what_nothing_matches_can_be_cleared(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library, "/?q=a+castle&near=0,0,1"))
    await expect(gallery.page.get_by_role("heading", name="Nothing here")).to_be_visible()
    await gallery.page.get_by_role("button", name="Clear the filters").click()
    await gallery.answers({"text": "a castle"})
    await gallery.filters.get_by_role("button", name=re.compile("^night ")).click()
    await gallery.answers({"text": "a castle"}, tagsAll=["night"])


async def test_pictures_are_put_into_another_order(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library))
    await gallery.page.get_by_role("combobox", name="Order").select_option("by name")
    by_name = "{ images(first: 20, sort: {field: FILENAME, direction: ASC}) { nodes { id } } }"
    await gallery.shows([node["id"] for node in library.ask(by_name)["images"]["nodes"]])


async def test_on_a_small_screen_the_filters_open_on_demand(visit: Visit, library: Server) -> None:
    gallery = Gallery(await visit(library, size=PHONE))
    await expect(gallery.status).to_have_text("600 pictures")
    await expect(gallery.filters).to_be_hidden()
    toggle = gallery.page.get_by_role("button", name="Filters")
    await toggle.click()
    await expect(toggle).to_have_attribute("aria-expanded", "true")
    await gallery.filters.get_by_role("button", name=re.compile("^castle ")).click()
    await shows(gallery, tagsAll=["castle"])
    await expect(toggle).to_contain_text("1")
    assert not await gallery.is_wider_than_the_screen()


async def shows(gallery: Gallery, **narrowed: object) -> None:
    """Wait until the library is shown as narrowed, with the right number."""
    images = gallery.visitor.server.ask(FIRST, filter={"statusIn": ["READY"], **narrowed})["images"]
    await gallery.shows([node["id"] for node in images["nodes"]])
    count = images["totalCount"]
    await expect(gallery.status).to_have_text(f"{count} picture{'s' if count != 1 else ''}")
