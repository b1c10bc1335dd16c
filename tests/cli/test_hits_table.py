"""The table of hits in a terminal."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from rich.console import Console

from domain.entities.embeddings import Hit, Query, QueryKind
from domain.entities.images import uuid7
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import SearchOptions
from domain.entities.searches import FoundImage, KeptSearch, SearchPage
from pictograph.cli.search_result import hits_table
from pictograph.cli.tables import shows_pictures
from tests.fakes.images import image_with


def page(*, exact: bool = True, collapse: Collapse = Collapse.NONE) -> SearchPage:
    image = image_with(filename="[red]boat[/red].jpg", width=40, height=30)
    hit = Hit(image.id, 0.25, collapsed_count=3)
    search = KeptSearch(
        id=uuid7(),
        created_at=image.created_at,
        model="tests/small",
        query=Query((1.0, 0.0, 0.0), QueryKind.TEXT),
        query_digest="",
        options_digest="",
        hits=(hit,),
        exact=exact,
    )
    found = (FoundImage(image, hit, next(search.cursors(0))),)
    options = SearchOptions(collapse=collapse)
    return SearchPage(search, options, found, has_next=False, has_previous=False, stages=())


def render(
    console: Console,
    page: SearchPage,
    *,
    relevance: float = 0.5,
    thumbnails: tuple[bytes, ...] = (),
) -> str:
    relevances = {found.image.id: relevance for found in page.found}
    with console.capture() as capture:
        console.print(hits_table(page, relevances, thumbnails))
    return capture.get()


def test_file_names_are_not_parsed_as_markup() -> None:
    text = render(Console(width=120), page())
    assert "[red]boat[/red].jpg" in text
    assert "0.250" in text
    assert "40 x 30" in text


@pytest.mark.parametrize(
    ("relevance", "cell"),
    [(0.97, "strong 0.97"), (0.5, "likely 0.50"), (0.02, "weak 0.02")],
)
def test_a_relevance_is_shown_as_its_band_and_a_number(relevance: float, cell: str) -> None:
    assert f" {cell} " in render(Console(width=120), page(), relevance=relevance)


def test_an_image_deleted_since_the_search_is_weak() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(hits_table(page(), {}))
    assert "weak 0.00" in capture.get()


def test_a_collapsed_hit_shows_its_number_of_images() -> None:
    assert "Images" not in render(Console(width=120), page())
    text = render(Console(width=120), page(collapse=Collapse.EXACT_COPIES))
    assert "Images" in text
    assert "│ 3 " in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_names_and_ids_are_not_cut_off_in_a_narrow_terminal(width: int) -> None:
    found = page()
    console = Console(width=width)
    with console.capture() as capture:
        console.print(hits_table(found, {}), crop=False)
    assert "[red]boat[/red].jpg" in capture.get()
    assert str(found.found[0].image.id) in capture.get()


def test_the_caption_tells_an_exact_search_from_an_index_scan() -> None:
    assert "Every picture was compared." in render(Console(width=120), page(exact=True))
    assert "Found by an HNSW index scan." in render(Console(width=120), page(exact=False))


def test_a_thumbnail_is_drawn_in_its_colours() -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 16), (255, 0, 0)).save(file, "WEBP", lossless=True)
    console = Console(width=160, force_terminal=True, color_system="truecolor")
    assert shows_pictures(console)
    text = render(console, page(), thumbnails=(file.getvalue(),))
    assert 4 * 16 == text.count("▀")
    assert "38;2;255;0;0" in text


def test_output_to_a_file_shows_no_pictures() -> None:
    assert not shows_pictures(Console(file=io.StringIO()))
