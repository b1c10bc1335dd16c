"""The output of `pictograph search`, over fakes."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rich.console import Console

from domain.entities.filters import ImageFilter
from domain.entities.images import Source, Variant
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, ByText, ByUpload, SearchOptions, WeightedTerm
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument
from graph.schema.ids import global_id
from infra.settings import read_settings
from pictograph.cli.search_arguments import SearchArguments
from pictograph.cli.search_result import as_json, render
from pictograph.cli.searching import places_of, search_library, thumbnails_of
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.images import image_with
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
    chosen = SearchOptions(**options)  # type: ignore[arg-type]  # its fields
    places = places_of(read_settings(data_dir="/data"))
    answer = await search_library(use_cases, by, chosen, first=first, places=places)
    images = [picture.image for picture in answer.pictures] if pictures else []
    output = render(answer, chosen, await thumbnails_of(use_cases, images))
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
async def test_json_has_the_ids_of_the_api_and_where_the_files_are(use_cases: UseCases) -> None:
    places = places_of(read_settings(data_dir="/data"))
    answer = await search_library(use_cases, RED, SearchOptions(), first=1, places=places)
    facts = json.loads(as_json(answer, library="/data", server=None))
    assert ("/data", None, 1) == tuple(
        facts[name] for name in ("library", "server", "relevantCount")
    )
    [red] = facts["pictures"]
    image = answer.pictures[0].image
    assert global_id(image.id) == red["id"]
    assert (str(image.id), "red.png", "STRONG") == (red["uuid"], red["filename"], red["band"])
    assert f"/data/files/{image.id.hex[-2:]}/{image.id}/original" == red["path"]


@pytest.mark.parametrize(
    ("settings", "source", "expected"),
    [
        ({}, Source("file:///photos/a%20b.jpg", "1"), "/photos/a b.jpg"),
        ({}, Source("s3://photos/a%20b.jpg", "1"), "s3://photos/a%20b.jpg"),
        ({"s3_bucket": "mine", "s3_prefix": "x/"}, None, "s3://mine/x/{id}/original"),
        ({"s3_bucket": "mine"}, None, "s3://mine/{id}/original"),
    ],
)
def test_the_place_of_an_original_is_a_path_or_an_address(
    settings: dict[str, object], source: Source | None, expected: str
) -> None:
    image = image_with(source=source)
    assert expected.format(id=image.id) == places_of(read_settings(**settings))(image)


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
