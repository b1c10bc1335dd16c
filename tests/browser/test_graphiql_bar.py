"""The bar above GraphiQL, and the key that it shares with the other pages of its tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from graph.http.graphiql_assets import ASSETS
from graph.http.options import HttpOptions
from tests.browser.visitor import KEY_NAME, PHONE
from tests.e2e.process import KEY

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server

STORED_ONCE = """
localStorage.setItem("graphiql:headers", '{"Authorization": "Bearer stale"}');
"""


@pytest.fixture(autouse=True)
def _files() -> None:
    if not all(asset.is_in(HttpOptions().graphiql_assets) for asset in ASSETS):
        pytest.skip("GraphiQL's files are not there: make graphiql fetches them with npm")


async def type_headers(page: Page, text: str) -> None:
    """Type into the header editor, over what is there."""
    headers = page.get_by_role("region", name="Headers")
    # CodeMirror's lines take clicks; the text area that takes the keys has no size.
    await headers.locator(".CodeMirror-lines").last.click()
    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text(text)


async def test_a_key_typed_into_graphiql_is_that_of_the_tab(visit: Visit, few: Server) -> None:
    page = (await visit(few, "/graphql")).page
    line = page.get_by_role("textbox", name="Send a file:")
    await expect(line).to_contain_text(f"curl {few.url}/graphql -H 'Authorization: Bearer KEY'")
    await type_headers(page, f'{{"Authorization": "Bearer {KEY}", "X-Other": "1"}}')
    await expect(line).to_contain_text(f"Bearer {KEY}'")
    assert KEY == await page.evaluate(f"sessionStorage.getItem('{KEY_NAME}')")
    assert KEY not in await page.evaluate("JSON.stringify(localStorage)")
    await page.reload()
    await expect(page.get_by_role("region", name="Headers")).to_contain_text(KEY)
    await type_headers(page, '{"Authorization": "Bearer "}')
    await expect(line).to_contain_text("Bearer KEY'")
    assert await page.evaluate(f"sessionStorage.getItem('{KEY_NAME}')") is None


async def test_headers_that_were_stored_once_do_not_come_back(visit: Visit, few: Server) -> None:
    page = (await visit(few, "/graphql", key=KEY)).page
    await expect(page.get_by_role("region", name="Headers")).to_contain_text(KEY)
    await page.evaluate(STORED_ONCE)
    await page.reload()
    await expect(page.get_by_role("region", name="Headers")).to_contain_text(KEY)
    assert "stale" not in await page.evaluate("JSON.stringify(localStorage)")


async def test_graphiql_has_room_on_a_telephone(visit: Visit, few: Server) -> None:
    page = (await visit(few, "/graphql", size=PHONE)).page
    editor = page.get_by_role("region", name="Query Editor")
    answer = page.get_by_role("region", name="Result Window")
    await expect(editor).to_be_visible()
    above, below = await editor.bounding_box(), await answer.bounding_box()
    assert above
    assert below
    assert below["y"] >= above["y"] + above["height"]
    assert min(above["width"], below["width"]) > 200
    assert PHONE["width"] == await page.evaluate("document.documentElement.scrollWidth")


async def test_the_gallery_is_one_step_away(visit: Visit, few: Server) -> None:
    page = (await visit(few, "/graphql")).page
    await page.get_by_role("link", name="Gallery").click()
    await expect(page).to_have_url(f"{few.url}/")
