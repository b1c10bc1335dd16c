"""The output of `pictograph search`, over fakes."""

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
from pictograph.cli.search_result import search_and_render
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
    """Three pictures, each of one colour. The blue one has the tag sea."""
    for colour in ("red", "yellow", "blue"):
        tags = ["sea"] if colour == "blue" else []
        file = upload(picture_file(COLOURS[colour]), f"{colour}.png")
        [outcome] = await use_cases.upload([file], tags=tags)
        assert isinstance(outcome, UploadedImage)


async def search_output(
    use_cases: UseCases,
    by: SearchBy = RED,
    *,
    first: int = 10,
    pictures: bool = False,
    **options: object,
) -> str:
    output = await search_and_render(
        use_cases,
        by,
        SearchOptions(**options),  # type: ignore[arg-type]  # fields of SearchOptions
        first=first,
        pictures=pictures,
    )
    console = Console(width=130)
    with console.capture() as capture:
        console.print(output, crop=False)
    return capture.get()


@pytest.mark.usefixtures("filled")
async def test_the_summary_counts_relevant_pictures_beyond_the_page(use_cases: UseCases) -> None:
    text = await search_output(use_cases, first=1)
    assert "red.png" in text
    assert "strong 1.00" in text
    assert "blue.png" not in text
    assert "1 picture is relevant: likely or strong.\n" in text


@pytest.mark.usefixtures("filled")
async def test_min_relevance_sets_what_counts_as_relevant(use_cases: UseCases) -> None:
    text = await search_output(use_cases, min_relevance=0.0)
    assert "3 pictures are relevant: 0 or more.\n" in text


@pytest.mark.usefixtures("filled")
async def test_the_summary_says_that_no_picture_is_likely_to_be_relevant(
    use_cases: UseCases,
) -> None:
    text = await search_output(use_cases, GREY)
    assert f"No picture in the library is likely to be relevant; {NEAREST}\n" in text
    text = await search_output(use_cases, criteria=SEA)
    assert "blue.png" in text
    assert f"No picture that matches the filters is likely to be relevant; {NEAREST}\n" in text


async def test_the_output_of_an_empty_library_names_the_import_command(use_cases: UseCases) -> None:
    sentence = "The library is empty; import pictures with `pictograph import FOLDER`.\n"
    assert sentence == await search_output(use_cases)
    assert sentence == await search_output(use_cases, criteria=SEA, min_relevance=0.9)


@pytest.mark.usefixtures("filled")
async def test_an_empty_result_names_the_filters_as_the_cause(use_cases: UseCases) -> None:
    sentence = "No picture matches all filters; leave out some of them.\n"
    assert sentence == await search_output(use_cases, criteria=FOREST)
    assert sentence == await search_output(use_cases, criteria=FOREST, min_relevance=0.9)


@pytest.mark.usefixtures("filled")
async def test_an_empty_result_names_min_relevance_as_the_cause(use_cases: UseCases) -> None:
    way_out = "has a relevance of 0.9 or more; leave out --min-relevance to see the nearest.\n"
    assert f"No picture in the library {way_out}" == await search_output(
        use_cases, GREY, min_relevance=0.9
    )
    found = await search_output(use_cases, criteria=SEA, min_relevance=0.9)
    assert f"No picture that matches the filters {way_out}" == found


@pytest.mark.usefixtures("filled")
async def test_near_duplicates_collapse_into_one_row_with_their_number(
    use_cases: UseCases,
) -> None:
    again = upload(picture_file(COLOURS["red"], words="again"), "again.png")
    await use_cases.upload([again], tags=[])
    text = await search_output(use_cases, collapse=Collapse.NEAR_DUPLICATES)
    assert 1 == text.count("red.png") + text.count("again.png")
    assert "│ 2 " in text
    assert "1 picture is relevant: likely or strong.\n" in text


@pytest.mark.usefixtures("filled")
async def test_thumbnails_are_drawn_when_asked_for(
    use_cases: UseCases, backend: FakeBackend
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(file, "WEBP")
    for found in (await use_cases.search(RED)).found:
        key = Variant.THUMBNAIL.key_of(found.image.id)
        await backend.storage.write(key, file.getvalue(), content_type="image/webp")
    assert "▀" in await search_output(use_cases, pictures=True)


@pytest.mark.usefixtures("filled")
async def test_a_refusal_of_a_file_names_it(use_cases: UseCases) -> None:
    notes = ByUpload(upload(b"notes", "notes.txt"))
    sentence = r"^notes\.txt: This file is no picture\. "
    for by in (notes, ByBlend((WeightedTerm(RED),), (WeightedTerm(notes),))):
        with pytest.raises(InvalidArgument, match=sentence):
            await search_output(use_cases, by)


async def test_a_refusal_of_a_blank_text_names_its_option(use_cases: UseCases) -> None:
    for arguments, option in (
        (SearchArguments(text=" "), "TEXT"),
        (SearchArguments(like=[" "]), "--like"),
        (SearchArguments(text="red", like=["blue", " "]), "--like"),
        (SearchArguments(text="red", unlike=[" "]), "--unlike"),
    ):
        with (
            pytest.raises(InvalidArgument, match=rf"^{option}: The text is blank; "),
            arguments.naming_options(),
        ):
            await search_output(use_cases, arguments.by())
