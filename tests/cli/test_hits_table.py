"""The table of hits in a terminal."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from rich.console import Console

from domain.entities.images import Source
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import SearchOptions
from graph.schema.spelling import encode_id
from pictograph.cli.search_result import FoundPicture, SearchAnswer, hits_table
from pictograph.cli.tables import shows_pictures
from tests.fakes.images import image_with


def answer(
    *, exact: bool = True, relevance: float = 0.5, path: str | None = None, url: str | None = None
) -> SearchAnswer:
    source = Source(f"file://{path}", "1") if path else None
    image = image_with(filename="[red]boat[/red].jpg", width=40, height=30, source=source)
    picture = FoundPicture(image, 0.25, relevance, collapsed_count=3, path=path, url=url)
    return SearchAnswer([picture], exact=exact)


def render(
    console: Console,
    answer: SearchAnswer,
    *,
    collapse: Collapse = Collapse.NONE,
    thumbnails: tuple[bytes, ...] = (),
) -> str:
    with console.capture() as capture:
        console.print(hits_table(answer, SearchOptions(collapse=collapse), thumbnails), crop=False)
    return capture.get()


def test_file_names_are_not_parsed_as_markup() -> None:
    text = render(Console(width=120), answer())
    assert "[red]boat[/red].jpg" in text
    assert "0.250" in text
    assert "40 x 30" in text


@pytest.mark.parametrize(
    ("relevance", "cell"),
    [(0.97, "strong 0.97"), (0.5, "likely 0.50"), (0.02, "weak 0.02")],
)
def test_a_relevance_is_shown_as_its_band_and_a_number(relevance: float, cell: str) -> None:
    assert f" {cell} " in render(Console(width=120), answer(relevance=relevance))


def test_a_collapsed_hit_shows_its_number_of_images() -> None:
    assert "Images" not in render(Console(width=120), answer())
    text = render(Console(width=120), answer(), collapse=Collapse.EXACT_COPIES)
    assert "Images" in text
    assert "│ 3 " in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_names_and_ids_are_not_cut_off_in_a_narrow_terminal(width: int) -> None:
    found = answer()
    text = render(Console(width=width), found)
    assert "[red]boat[/red].jpg" in text
    assert encode_id(found.pictures[0].image.id) in text


def test_a_picture_is_named_by_its_file_else_by_its_address() -> None:
    text = render(Console(width=200), answer(path="/photos/[red]boat[/red].jpg", url="http://a/b"))
    assert "/photos/[red]boat[/red].jpg" in text
    assert "http://a/b" not in text
    text = render(Console(width=200), answer(url="http://a/b"))
    assert "http://a/b" in text
    assert "[red]boat[/red].jpg" in text


def test_the_caption_tells_an_exact_search_from_an_index_scan() -> None:
    assert "Every picture was compared." in render(Console(width=120), answer(exact=True))
    assert "Found by an HNSW index scan." in render(Console(width=120), answer(exact=False))


def test_a_thumbnail_is_drawn_in_its_colours() -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 16), (255, 0, 0)).save(file, "WEBP", lossless=True)
    console = Console(width=160, force_terminal=True, color_system="truecolor")
    assert shows_pictures(console)
    text = render(console, answer(), thumbnails=(file.getvalue(),))
    assert 4 * 16 == text.count("▀")
    assert "38;2;255;0;0" in text


def test_output_to_a_file_shows_no_pictures() -> None:
    assert not shows_pictures(Console(file=io.StringIO()))
