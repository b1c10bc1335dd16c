"""One picture in the gallery: what is known of it, and what is changed about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from postcards import MODEL
from tests.browser.gallery import Gallery, eventually
from tests.browser.library import FEW, cards
from tests.e2e.process import KEY, ServerProcess
from tests.e2e.test_direct_uploads import COMPLETE, CREATE, send
from tests.e2e.test_working import worker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Visit
    from tests.browser.library import Card
    from tests.e2e.process import Server

NEWEST = "{ images(first: 20) { nodes { id filename tags altText } } }"
ONE = "query ($id: ID!) { image(id: $id) { filename tags altText } }"
SIMILAR = "query ($id: ID!) { image(id: $id) { similarImages(first: 8) { nodes { id } } } }"


def sent_directly(server: Server, card: Card) -> str:
    """Send a file to an upload target, and return the id of its image, which is PROCESSING."""
    file = {"filename": card.name, "contentType": "", "byteSize": len(card.content)}
    [target] = server.ask(CREATE, files=[file])["createUploadTargets"]["targets"]
    assert 204 == send(target, card.content)
    [result] = server.ask(COMPLETE, ids=[target["id"]])["completeUploads"]["results"]
    assert "PROCESSING" == result["image"]["status"]
    return str(result["image"]["id"])


def newest_card(server: Server) -> Card:
    """Return the postcard that the gallery shows first."""
    newest = server.ask(NEWEST)["images"]["nodes"][0]["filename"]
    [card] = [card for card in cards(FEW) if card.name == newest]
    return card


async def test_a_picture_opens_large_with_all_that_is_known_of_it(
    visit: Visit, few: Server
) -> None:
    visitor = await visit(few)
    gallery = Gallery(visitor)
    card = newest_card(few)
    await gallery.tiles.first.click()
    await expect(gallery.detail).to_have_accessible_name(card.metadata.caption)
    await expect(gallery.detail.get_by_role("heading", name=card.name)).to_be_visible()
    facts = gallery.detail.locator(".facts").first
    await expect(facts).to_contain_text(f"{card.metadata.taken_at.year}")
    await expect(facts).to_contain_text("Pictograph")
    await expect(facts).to_contain_text(re.compile(r"Size\d+ . \d+"))
    for tag in {"postcard", *card.metadata.tags}:
        await expect(gallery.detail.get_by_role("button", name=f"the tag {tag}")).to_be_visible()
    await gallery.detail.get_by_text(re.compile(r"All \d+ EXIF tags")).click()
    await expect(gallery.detail.get_by_text("GPSLatitude", exact=True)).to_be_visible()
    await expect(gallery.detail.locator(".large.is-loaded")).to_be_visible()
    assert len(visitor.asked_for("/large$")) == 1
    similar = gallery.detail.get_by_role("region", name="Pictures like this one")
    await expect(similar.get_by_role("button")).to_have_count(8)


async def test_like_pictures_lead_to_one_another_and_the_close_button_back(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few))
    await gallery.tiles.first.click()
    [first, *_] = await gallery.ids()
    similar = gallery.detail.get_by_role("region", name="Pictures like this one")
    nearest = few.ask(SIMILAR, id=first)["image"]["similarImages"]["nodes"][0]["id"]
    await similar.get_by_role("button").first.click()
    await expect(gallery.page).to_have_url(re.compile(re.escape(nearest)))
    await gallery.detail.get_by_role("button", name="Close").click()
    await expect(gallery.detail).to_be_hidden()
    await expect(gallery.page).to_have_url(f"{few.url}/")


async def test_tags_are_added_and_taken_away(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    newest = few.ask(NEWEST)["images"]["nodes"][0]
    await gallery.tiles.first.click()
    field = gallery.detail.get_by_role("combobox", name="Tags")
    await field.fill("favourite")
    await field.press("Enter")
    remove = gallery.detail.get_by_role("button", name="Remove the tag favourite")
    await expect(remove).to_be_visible()
    assert "favourite" in few.ask(ONE, id=newest["id"])["image"]["tags"]
    await remove.click()
    await expect(remove).to_be_hidden()
    assert newest["tags"] == few.ask(ONE, id=newest["id"])["image"]["tags"]


async def test_an_alt_text_can_be_edited(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    newest = few.ask(NEWEST)["images"]["nodes"][0]
    await gallery.tiles.first.click()
    text = gallery.detail.get_by_role("textbox", name="What it shows")
    await expect(text).to_have_value(newest["altText"])
    await text.fill("A view that nobody forgets")
    await gallery.detail.get_by_role("button", name="Save").click()
    await expect(gallery.toast("The description is saved.")).to_be_visible()
    assert few.ask(ONE, id=newest["id"])["image"]["altText"] == "A view that nobody forgets"
    await gallery.page.keyboard.press("Escape")
    await expect(gallery.tiles.first).to_have_accessible_name("A view that nobody forgets")


async def test_the_original_is_downloaded_under_its_name(
    visit: Visit, few: Server, tmp_path: Path
) -> None:
    gallery = Gallery(await visit(few))
    card = newest_card(few)
    await gallery.tiles.first.click()
    async with gallery.page.expect_download() as download:
        await gallery.detail.get_by_role("button", name="Download").click()
    file = await download.value
    assert card.name == file.suggested_filename
    await file.save_as(tmp_path / "original")
    assert card.content == (tmp_path / "original").read_bytes()


async def test_a_deleted_picture_is_gone_from_sight_and_from_the_server_at_once(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    newest = few.ask(NEWEST)["images"]["nodes"][0]
    await gallery.tiles.first.click()
    await gallery.detail.get_by_role("button", name="Delete").click()
    await expect(gallery.detail).to_be_hidden()
    await expect(gallery.tiles).to_have_count(FEW - 1)
    await expect(gallery.toast(f"Deleted {newest['filename']}")).to_be_visible()
    assert few.ask(ONE, id=newest["id"])["image"] is None
    assert newest["id"] not in await gallery.ids()


async def test_a_deletion_is_undone_and_the_picture_stands_where_it_was(
    visit: Visit, few: Server
) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    await expect(gallery.tiles).to_have_count(FEW)
    before = await gallery.ids()
    await gallery.tiles.nth(3).click()
    await gallery.detail.get_by_role("button", name="Delete").click()
    await expect(gallery.tiles).to_have_count(FEW - 1)
    await gallery.page.get_by_role("button", name="Undo").click()
    await gallery.shows(before)
    await gallery.page.reload()
    await gallery.shows(before)


async def test_who_leaves_the_page_has_not_undone_the_deletion(visit: Visit, few: Server) -> None:
    gallery = Gallery(await visit(few, key=KEY))
    newest = few.ask(NEWEST)["images"]["nodes"][0]
    await gallery.tiles.first.click()
    await gallery.detail.get_by_role("button", name="Delete").click()
    await expect(gallery.tiles).to_have_count(FEW - 1)
    await gallery.page.goto("about:blank")

    async def found() -> object:
        return few.ask(ONE, id=newest["id"])["image"]

    await eventually(None, found)


async def test_a_picture_that_is_not_here_any_more_says_so(visit: Visit, few: Server) -> None:
    gone = few.ask(NEWEST)["images"]["nodes"][0]["id"]
    few.ask(
        "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }",
        ids=[gone],
    )
    gallery = Gallery(await visit(few, f"/?image={gone}"))
    await expect(gallery.detail).to_contain_text("no longer exists")
    await gallery.detail.get_by_role("button", name="Close").click()
    await expect(gallery.tiles).to_have_count(FEW - 1)


async def test_more_like_this_and_taken_near_here_ask_for_more_pictures(
    visit: Visit, library: Server
) -> None:
    gallery = Gallery(await visit(library))
    await gallery.tiles.first.click()
    [first, *_] = await gallery.ids()
    await gallery.detail.get_by_role("button", name="More like this").click()
    await gallery.answers({"imageId": first})
    await gallery.tiles.first.click()
    await gallery.detail.get_by_role("button", name="Taken near here").click()
    await expect(gallery.page).to_have_url(re.compile(r"\?near=[\d.%C,-]+$"))
    await expect(gallery.status).to_have_text(re.compile(r"^\d\d pictures$"))


async def test_a_picture_that_is_being_indexed_appears_when_it_is_ready(
    visit: Visit, tmp_path: Path
) -> None:
    settings = {"model": MODEL, "data_dir": tmp_path / "library", "api_key": KEY}
    with ServerProcess.start({**settings, "worker": "false"}) as server:
        image_id = sent_directly(server, cards(1)[0])
        gallery = Gallery(await visit(server, f"/?image={image_id}"))
        note = gallery.detail.get_by_text("This picture is being indexed")
        await expect(note).to_be_visible()
        await expect(gallery.detail.locator("img[src]")).to_have_count(0)
        with worker(settings):
            await expect(gallery.detail.locator(".large.is-loaded")).to_be_visible()
        await expect(note).to_be_hidden()
