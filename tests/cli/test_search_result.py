"""What `pictograph search` answers, over fakes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rich.console import Console

from domain.entities.filters import ImageFilter
from domain.entities.images import Variant
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, ByText, ByUpload, SearchOptions, WeightedTerm
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument
from pictograph.cli.search_arguments import SearchArguments
from pictograph.cli.search_result import answer_to
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import FakeBackend

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.queries import SearchBy

SEA = ImageFilter(tags_all=("sea",))
FOREST = ImageFilter(tags_all=("forest",))
RED, GREY = ByText("red"), ByText("nothing like it")
NEAREST = "the nearest are shown."


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def use_cases(backend: FakeBackend) -> UseCases:
    return backend.use_cases()


@pytest.fixture
async def filled(use_cases: UseCases) -> None:
    """A picture of each of three colours, the blue one of the sea."""
    for colour in ("red", "yellow", "blue"):
        tags = ["sea"] if colour == "blue" else []
        file = upload(picture_file(COLOURS[colour]), f"{colour}.png")
        [outcome] = await use_cases.upload([file], tags=tags)
        assert isinstance(outcome, UploadedImage)


async def printed(
    use_cases: UseCases,
    by: SearchBy = RED,
    *,
    first: int = 10,
    pictures: bool = False,
    **options: object,
) -> str:
    answer = await answer_to(
        use_cases,
        by,
        SearchOptions(**options),  # type: ignore[arg-type]  # its fields
        first=first,
        pictures=pictures,
    )
    console = Console(width=130)
    with console.capture() as capture:
        console.print(answer, crop=False)
    return capture.get()


@pytest.mark.usefixtures("filled")
async def test_a_line_says_how_many_are_relevant_on_this_page_or_not(use_cases: UseCases) -> None:
    text = await printed(use_cases, first=1)
    assert "red.png" in text
    assert "strong 1.00" in text
    assert "blue.png" not in text
    assert "1 picture is relevant: likely or strong.\n" in text


@pytest.mark.usefixtures("filled")
async def test_relevant_is_what_was_said_to_be(use_cases: UseCases) -> None:
    text = await printed(use_cases, min_relevance=0.0)
    assert "3 pictures are relevant: 0 or more.\n" in text


@pytest.mark.usefixtures("filled")
async def test_it_is_said_where_nothing_is_likely_what_was_asked_for(use_cases: UseCases) -> None:
    text = await printed(use_cases, GREY)
    assert f"Nothing in the library is likely what you asked for; {NEAREST}\n" in text
    text = await printed(use_cases, criteria=SEA)
    assert "blue.png" in text
    assert f"Nothing that matches the options is likely what you asked for; {NEAREST}\n" in text


async def test_an_empty_library_says_how_to_fill_it(use_cases: UseCases) -> None:
    sentence = "The library is empty; take pictures in with `pictograph import FOLDER`.\n"
    assert sentence == await printed(use_cases)
    assert sentence == await printed(use_cases, criteria=SEA, min_relevance=0.9)


@pytest.mark.usefixtures("filled")
async def test_options_that_no_picture_matches_are_blamed(use_cases: UseCases) -> None:
    sentence = "No picture matches all the options that were given; leave some of them out.\n"
    assert sentence == await printed(use_cases, criteria=FOREST)
    assert sentence == await printed(use_cases, criteria=FOREST, min_relevance=0.9)


@pytest.mark.usefixtures("filled")
async def test_a_relevance_that_no_picture_has_is_blamed(use_cases: UseCases) -> None:
    way_out = "has a relevance of 0.9 or more; leave --min-relevance out to see the nearest.\n"
    assert f"Nothing in the library {way_out}" == await printed(use_cases, GREY, min_relevance=0.9)
    found = await printed(use_cases, criteria=SEA, min_relevance=0.9)
    assert f"Nothing that matches the options {way_out}" == found


@pytest.mark.usefixtures("filled")
async def test_a_picture_stands_for_its_duplicates_and_they_are_counted(
    use_cases: UseCases,
) -> None:
    again = upload(picture_file(COLOURS["red"], words="again"), "again.png")
    await use_cases.upload([again], tags=[])
    text = await printed(use_cases, collapse=Collapse.NEAR_DUPLICATES)
    assert 1 == text.count("red.png") + text.count("again.png")
    assert "│ 2 " in text
    assert "1 picture is relevant: likely or strong.\n" in text


@pytest.mark.usefixtures("filled")
async def test_a_terminal_with_colours_shows_pictures(
    use_cases: UseCases, backend: FakeBackend
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(file, "WEBP")
    for found in (await use_cases.search(RED)).found:
        key = Variant.THUMBNAIL.key_of(found.image.id)
        await backend.storage.write(key, file.getvalue(), content_type="image/webp")
    assert "▀" in await printed(use_cases, pictures=True)


@pytest.mark.usefixtures("filled")
async def test_a_file_that_is_no_picture_is_named(use_cases: UseCases) -> None:
    notes = ByUpload(upload(b"notes", "notes.txt"))
    sentence = r"^notes\.txt: This file is no picture\. "
    for by in (notes, ByBlend((WeightedTerm(RED),), (WeightedTerm(notes),))):
        with pytest.raises(InvalidArgument, match=sentence):
            await printed(use_cases, by)


async def test_a_text_that_is_blank_is_named(use_cases: UseCases) -> None:
    for arguments, option in (
        (SearchArguments(text=" "), "TEXT"),
        (SearchArguments(like=[" "]), "--like"),
        (SearchArguments(text="red", like=["blue", " "]), "--like"),
        (SearchArguments(text="red", unlike=[" "]), "--unlike"),
    ):
        with (
            pytest.raises(InvalidArgument, match=rf"^{option}: The text is blank; "),
            arguments.spelled(),
        ):
            await printed(use_cases, arguments.by())
