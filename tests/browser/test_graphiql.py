"""GraphiQL as the user of a browser meets it at /graphql."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from graph.http.graphiql_assets import ASSETS
from graph.http.options import HttpOptions
from postcards.scenes import Scene, Subject
from tests.e2e.postcards import png
from tests.e2e.process import KEY

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.browser.conftest import Visit
    from tests.e2e.process import Server


@pytest.fixture(autouse=True)
def _files() -> None:
    if not all(asset.is_in(HttpOptions().graphiql_assets) for asset in ASSETS):
        pytest.skip("GraphiQL's files are not there: make graphiql fetches them with npm")


async def run(page: Page, operation: re.Pattern[str]) -> None:
    """Press the play button, and choose an operation of the tab."""
    await page.get_by_role("button", name="Execute query").click()
    await page.get_by_role("menuitem", name=operation).first.click()


async def test_graphiql_shows_the_answer_to_a_query_of_its_first_tab(
    visit: Visit, few: Server
) -> None:
    visitor = await visit(few, "/graphql")
    await run(visitor.page, re.compile(r"^(Words|Search)$"))
    result = visitor.page.get_by_role("region", name="Result Window")
    await expect(result).to_contain_text('"relevantCount"')
    await expect(result).not_to_contain_text('"errors"')


async def test_graphiql_knows_the_schema(visit: Visit, few: Server) -> None:
    visitor = await visit(few, "/graphql")
    await visitor.page.get_by_role("button", name="Show Documentation Explorer").click()
    explorer = visitor.page.locator(".graphiql-doc-explorer")
    await expect(explorer.get_by_role("link", name="Subscription", exact=True)).to_be_visible()


async def test_graphiql_shows_what_comes_to_match_while_its_live_search_is_open(
    visit: Visit, few: Server
) -> None:
    visitor = await visit(few, "/graphql")
    await run(visitor.page, re.compile("Live"))
    heard = visitor.page.get_by_role("region", name="Result Window").get_by_text("lighthouse")
    # Nothing says when a subscription has begun: there are lighthouses until one was heard of.
    for number in count():
        lighthouse = Subject("lighthouse", "red", 1, "large", "centre")
        scene = Scene(900 + number, "sea", "day", "clear", (lighthouse,))
        few.upload({f"lighthouse {number}.png": png(scene)})
        await visitor.page.wait_for_timeout(500)
        if await heard.count():
            break
        assert number < 20, "no lighthouse was heard of"
    await visitor.page.get_by_role("button", name="Stop query").click()
    await expect(visitor.page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_graphiql_sends_the_key_of_the_tab(visit: Visit, few: Server) -> None:
    visitor = await visit(few, "/graphql", key=KEY)
    await expect(visitor.page.get_by_role("region", name="Headers")).to_contain_text(KEY)
    async with visitor.page.expect_request(
        lambda request: "relevantCount" in (request.post_data or "")
    ) as sent:
        await run(visitor.page, re.compile(r"^(Words|Search)$"))
    request = await sent.value
    assert f"Bearer {KEY}" == await request.header_value("Authorization")
    assert json.loads(request.post_data or "")["operationName"] in {"Words", "Search"}
