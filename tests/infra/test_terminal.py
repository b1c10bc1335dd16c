"""What a search found, on a terminal."""

from __future__ import annotations

import io

from PIL import Image
from rich.console import Console

from domain.embeddings import Hit, Query, QueryKind
from domain.images import uuid7
from domain.searches import Found, KeptSearch, Narrowing, SearchCursor, SearchPage
from infra.terminal import hits_table, shows_pictures
from tests.fakes.images import image_with


def page(*, exact: bool) -> SearchPage:
    image = image_with(filename="[red]boat[/red].jpg", width=40, height=30)
    hit = Hit(image.id, 0.25)
    search = KeptSearch(
        id=uuid7(),
        created_at=image.created_at,
        model="tests/small",
        query=Query((1.0, 0.0, 0.0), QueryKind.TEXT),
        question="",
        conditions="",
        hits=(hit,),
        exact=exact,
    )
    found = (Found(image, hit, SearchCursor(search.id, 1)),)
    return SearchPage(search, Narrowing(), found, has_next=False, has_previous=False, stages=())


def shown(console: Console, *, exact: bool = True, thumbnails: tuple[bytes, ...] = ()) -> str:
    with console.capture() as capture:
        console.print(hits_table(page(exact=exact), thumbnails))
    return capture.get()


def test_hits_are_rows_with_their_names_as_they_are() -> None:
    text = shown(Console(width=120))
    assert "[red]boat[/red].jpg" in text
    assert "0.250" in text
    assert "40 x 30" in text


def test_a_table_says_whether_every_picture_was_compared() -> None:
    assert "Every picture was compared." in shown(Console(width=120), exact=True)
    assert "Found by walking the HNSW index." in shown(Console(width=120), exact=False)


def test_a_picture_is_drawn_in_its_colours() -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 16), (255, 0, 0)).save(file, "WEBP", lossless=True)
    console = Console(width=160, force_terminal=True, color_system="truecolor")
    assert shows_pictures(console)
    text = shown(console, thumbnails=(file.getvalue(),))
    assert 4 * 16 == text.count("▀")
    assert "38;2;255;0;0" in text


def test_a_file_is_no_place_for_pictures() -> None:
    assert not shows_pictures(Console(file=io.StringIO()))
