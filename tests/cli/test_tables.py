"""What a search found, on a terminal."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from rich.console import Console

from domain.entities.embeddings import Hit, Query, QueryKind
from domain.entities.images import uuid7
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import SearchOptions
from domain.entities.searches import FoundImage, KeptSearch, SearchCursor, SearchPage
from pictograph.cli.tables import hits_table, shows_pictures
from tests.fakes.images import image_with


def page(*, exact: bool = True, collapse: Collapse = Collapse.NONE) -> SearchPage:
    image = image_with(filename="[red]boat[/red].jpg", width=40, height=30)
    hit = Hit(image.id, 0.25, stands_for=3)
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
    found = (FoundImage(image, hit, SearchCursor(search.id, 1)),)
    narrowing = SearchOptions(collapse=collapse)
    return SearchPage(search, narrowing, found, has_next=False, has_previous=False, stages=())


def shown(
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


def test_hits_are_rows_with_their_names_as_they_are() -> None:
    text = shown(Console(width=120), page())
    assert "[red]boat[/red].jpg" in text
    assert "0.250" in text
    assert "40 x 30" in text


@pytest.mark.parametrize(
    ("relevance", "says"),
    [(0.97, "strong 0.97"), (0.5, "likely 0.50"), (0.02, "weak 0.02")],
)
def test_a_relevance_is_a_word_and_a_number(relevance: float, says: str) -> None:
    assert f" {says} " in shown(Console(width=120), page(), relevance=relevance)


def test_what_was_deleted_meanwhile_is_weak() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(hits_table(page(), {}))
    assert "weak 0.00" in capture.get()


def test_a_hit_that_stands_for_others_says_for_how_many() -> None:
    assert "Alike" not in shown(Console(width=120), page())
    text = shown(Console(width=120), page(collapse=Collapse.EXACT_COPIES))
    assert "Alike" in text
    assert "│ 3 " in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_name_and_an_id_are_whole_where_there_is_little_room(width: int) -> None:
    found = page()
    console = Console(width=width)
    with console.capture() as capture:
        console.print(hits_table(found, {}), crop=False)
    assert "[red]boat[/red].jpg" in capture.get()
    assert str(found.found[0].image.id) in capture.get()


def test_a_table_says_whether_every_picture_was_compared() -> None:
    assert "Every picture was compared." in shown(Console(width=120), page(exact=True))
    assert "Found by walking the HNSW index." in shown(Console(width=120), page(exact=False))


def test_a_picture_is_drawn_in_its_colours() -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 16), (255, 0, 0)).save(file, "WEBP", lossless=True)
    console = Console(width=160, force_terminal=True, color_system="truecolor")
    assert shows_pictures(console)
    text = shown(console, page(), thumbnails=(file.getvalue(),))
    assert 4 * 16 == text.count("▀")
    assert "38;2;255;0;0" in text


def test_a_file_is_no_place_for_pictures() -> None:
    assert not shows_pictures(Console(file=io.StringIO()))
