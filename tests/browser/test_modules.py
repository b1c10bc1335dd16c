"""Modules of the gallery that only calculate, asked in a browser."""

from __future__ import annotations

import base64
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pytest_asyncio import fixture

from infra.pillow.thumbhash import thumbhash

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.e2e.process import Server

WIDTH, HEIGHT, GAP = 1000, 200, 6
NEAR = {"latitude": 43.47, "longitude": -11.88, "radiusKm": 5}
EVERYTHING: dict[str, Any] = {
    "text": "",
    "like": [],
    "unlike": [],
    "search": None,
    "tags": [],
    "cameras": [],
    "month": None,
    "near": None,
    "sort": "added",
    "image": None,
}


@fixture(scope="module", loop_scope="session")
async def page(browser: Browser, workplace: Server) -> AsyncIterator[Page]:
    """One page for all: what only calculates leaves nothing behind."""
    page = await browser.new_page()
    await page.goto(workplace.url)
    yield page
    await page.close()


async def call(page: Page, module: str, function: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
    """Return what a function of a module answers."""
    script = f"async (given) => (await import('/ui/{module}')).{function}(...given)"
    return await page.evaluate(script, list(arguments))


async def rows(page: Page, shapes: list[float], *, ended: bool) -> list[list[dict[str, int]]]:
    """Return the sizes of tiles, row by row as a browser would break them."""
    bounds = {"width": WIDTH, "height": HEIGHT, "gap": GAP, "ended": ended}
    found: list[list[dict[str, int]]] = [[]]
    for size in await call(page, "grid.js", "rows", shapes, bounds):
        if sum(tile["width"] + GAP for tile in found[-1]) + size["width"] > WIDTH:
            found.append([])
        found[-1].append(size)
    return found


async def test_rows_fill_the_width_to_the_pixel_at_about_one_height(page: Page) -> None:
    luck = random.Random(1)
    shapes = [luck.choice([0.5, 0.667, 1, 1.5, 1.778, 2.6]) for _ in range(200)]
    *full, last = await rows(page, shapes, ended=True)
    assert 200 == sum(map(len, full)) + len(last)
    for row in full:
        assert WIDTH == sum(tile["width"] for tile in row) + GAP * (len(row) - 1)
        assert 1 == len({tile["height"] for tile in row})
        assert 0.6 * HEIGHT <= row[0]["height"] <= 1.6 * HEIGHT
    placed = iter(shapes)
    for tile in (tile for row in full for tile in row):
        assert next(placed) == pytest.approx(tile["width"] / tile["height"], rel=0.03)


async def test_what_comes_later_moves_nothing_that_stands(page: Page) -> None:
    luck = random.Random(2)
    shapes = [luck.uniform(0.5, 2.6) for _ in range(90)]
    answers = [
        await call(
            page,
            "grid.js",
            "rows",
            shapes[:count],
            {"width": WIDTH, "height": HEIGHT, "gap": GAP, "ended": count == 90},
        )
        for count in (0, 1, 7, 30, 60, 90)
    ]
    for fewer, more in pairwise(answers):
        assert fewer == more[: len(fewer)]
    assert 90 == len(answers[-1])


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (64, 64), (100, 25)])
async def test_a_preview_is_the_picture_but_blurred(page: Page, size: tuple[int, int]) -> None:
    luck = random.Random(3)
    corners = Image.frombytes("RGB", (2, 2), bytes(luck.randrange(40, 216) for _ in range(12)))
    picture = corners.resize(size, Image.Resampling.BICUBIC)
    hashed = thumbhash(*size, picture.tobytes())
    painted = await page.evaluate(
        """async (hash) => {
          const canvas = document.createElement("canvas");
          (await import("/ui/thumbnail.js")).paint(canvas, hash);
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return { size: [width, height], data: [...data] };
        }""",
        base64.b64encode(hashed).decode(),
    )
    width, height = painted["size"]
    assert 32 == max(width, height)
    assert size[0] / size[1] == pytest.approx(width / height, rel=0.2)
    small = picture.resize((width, height), Image.Resampling.BOX).convert("RGBA")
    off = [abs(a - b) for a, b in zip(small.tobytes(), painted["data"], strict=True)]
    assert sum(off) / len(off) < 12


@pytest.mark.parametrize("hashed", ["", "not base64!", "AAAA"])
async def test_without_a_preview_nothing_is_painted(page: Page, hashed: str) -> None:
    await page.evaluate(
        """async (hash) => {
          const canvas = document.createElement("canvas");
          (await import("/ui/thumbnail.js")).paint(canvas, hash);
        }""",
        hashed,
    )


QUESTIONS = [
    {},
    {"text": "a red sailboat & a kite", "month": "2024-05", "tags": ["sea", "a, b"]},
    {"like": ["SW1hZ2U6MQ=="], "unlike": ["SW1hZ2U6Mg=="], "image": "SW1hZ2U6Mw=="},
    {"search": "01a2178e-d33a", "cameras": ["X 100"], "near": NEAR, "sort": "taken"},
]


@pytest.mark.parametrize("change", QUESTIONS)
async def test_a_question_comes_back_from_its_address(page: Page, change: dict[str, Any]) -> None:
    question = EVERYTHING | change
    address = await call(page, "query.js", "toAddress", question)
    assert address.startswith("./")
    assert question == await call(page, "query.js", "fromAddress", address[2:])


async def test_what_an_address_says_that_means_nothing_is_left_out(page: Page) -> None:
    address = "?month=2024-13&near=here&sort=size&other=1&tag=sea&tag=sea"
    question = await call(page, "query.js", "fromAddress", address)
    assert EVERYTHING | {"tags": ["sea"]} == question


@pytest.mark.parametrize(
    ("change", "by"),
    [
        ({"text": " a  harbour "}, {"text": "a harbour"}),
        ({"like": ["1"]}, {"imageId": "1"}),
        ({"search": "9"}, {"searchId": "9"}),
        (
            {"text": 'harbour -boats -"red kites" t-shirt'},
            {
                "blend": {
                    "like": [{"term": {"text": "harbour t-shirt"}}],
                    "unlike": [{"term": {"text": "boats"}}, {"term": {"text": "red kites"}}],
                }
            },
        ),
        (
            {"text": "night", "like": ["1"], "unlike": ["2"]},
            {
                "blend": {
                    "like": [{"term": {"text": "night"}}, {"term": {"imageId": "1"}}],
                    "unlike": [{"term": {"imageId": "2"}}],
                }
            },
        ),
        (
            {"unlike": ["2"]},
            {
                "blend": {
                    "like": [{"term": {"text": "a picture"}}],
                    "unlike": [{"term": {"imageId": "2"}}],
                }
            },
        ),
    ],
)
async def test_a_question_is_put_into_the_words_of_the_api(
    page: Page, change: dict[str, Any], by: dict[str, Any]
) -> None:
    assert by == await call(page, "query.js", "toBy", EVERYTHING | change)


async def test_a_month_ends_where_the_next_begins(page: Page) -> None:
    found = await call(page, "query.js", "toFilter", EVERYTHING | {"month": "2024-12"})
    assert {
        "statusIn": ["READY"],
        "takenAtLocal": {"gte": "2024-12-01T00:00:00.000", "lt": "2025-01-01T00:00:00.000"},
    } == found


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("43.47, -11.88, 5", NEAR),
        ("43.47 -11.88", NEAR | {"radiusKm": 25}),
        ("43.47", None),
        ("91, 0", None),
        ("0, 181", None),
        ("0, 0, -1", None),
        ("1, 2, 3, 4", None),
        ("north, west", None),
    ],
)
async def test_a_place_is_read_as_maps_write_it(page: Page, text: str, place: object) -> None:
    assert place == await call(page, "query.js", "readNear", text)
