"""The options of `pictograph search`, and the queries that they make."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer import Typer
from typer.testing import CliRunner

from domain.entities.filters import (
    GeoNear,
    ImageFilter,
    IntRange,
    LocalTimeRange,
    Orientation,
    TimeRange,
)
from domain.entities.images import ImageStatus, uuid7
from domain.entities.near_duplicates import Collapse
from domain.entities.places import GeoBox
from domain.entities.queries import ByBlend, ByImage, ByText, ByUpload, SearchOptions, WeightedTerm
from domain.errors import InvalidArgument
from pictograph.cli.search_arguments import SearchArguments, with_search_options

if TYPE_CHECKING:
    from domain.entities.queries import Term

ID = uuid7()
ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "commands.md")


def parse(*words: str) -> SearchArguments:
    """Parse the words of a command line."""
    parsed: list[SearchArguments] = []
    app = Typer()
    app.command()(with_search_options(parsed.append))
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return parsed[0]


def parse_filter(*words: str) -> ImageFilter:
    return parse("boat", *words).options().criteria


def refusal_message(*words: str) -> str:
    arguments = parse(*words)
    with pytest.raises(InvalidArgument) as refusal, arguments.naming_options():
        _ = arguments.by(), arguments.options()
    return refusal.value.message


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(b"a photo")
    return Path("photo.jpg")


def filename_of(term: Term) -> str:
    assert isinstance(term, ByUpload)
    return term.upload.name


def test_text_alone_is_a_text_query() -> None:
    arguments = parse("a harbour")
    assert ByText("a harbour") == arguments.by()
    assert SearchOptions() == arguments.options()
    assert 10 == arguments.first


@pytest.mark.parametrize("arguments", [["--image-id", str(ID)], ["--like", str(ID)]])
def test_an_id_alone_is_an_image_query(arguments: list[str]) -> None:
    assert ByImage(ID) == parse(*arguments).by()


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("arguments", [["--image", "photo.jpg"], ["--like", "@photo.jpg"]])
async def test_a_file_alone_is_a_query_by_its_picture(arguments: list[str]) -> None:
    by = parse(*arguments).by()
    assert isinstance(by, ByUpload)
    assert b"a photo" == await by.upload.bytes_within(10)


def test_a_tilde_is_the_home_folder(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photo.parent.absolute()))
    monkeypatch.chdir("/")
    by = parse("--like", "@~/photo.jpg", "--unlike", "rain").by()
    assert isinstance(by, ByBlend)
    assert "photo.jpg" == filename_of(by.like[0].term)


@pytest.mark.usefixtures("photo")
def test_several_terms_make_a_blend_with_weights() -> None:
    arguments = parse(
        *("a harbour", "--image", "photo.jpg", "--image-id", str(ID)),
        *("--like", "at night^2", "--like", f"{ID}^.5"),
        *("--unlike", "boats", "--unlike", "@photo.jpg^.75"),
    )
    by = arguments.by()
    assert isinstance(by, ByBlend)
    text, example, *rest = by.like
    assert WeightedTerm(ByText("a harbour")) == text
    assert ("photo.jpg", 1) == (filename_of(example.term), example.weight)
    assert [
        WeightedTerm(ByImage(ID)),
        WeightedTerm(ByText("at night"), 2),
        WeightedTerm(ByImage(ID), 0.5),
    ] == rest
    boats, other = by.unlike
    assert WeightedTerm(ByText("boats")) == boats
    assert ("photo.jpg", 0.75) == (filename_of(other.term), other.weight)


def test_a_caret_without_a_number_is_text() -> None:
    assert ByBlend((WeightedTerm(ByText("night"), 3),)) == parse("--like", "night^3").by()
    assert ByText("x^y") == parse("--like", "x^y").by()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tag", "a", "--tag", "b"], ImageFilter(tags_all=("a", "b"))),
        (["--any-tag", "a"], ImageFilter(tags_any=("a",))),
        (["--no-tag", "a"], ImageFilter(tags_none=("a",))),
        (["--keywords", "rome -draft"], ImageFilter(keywords="rome -draft")),
        (["--make", "NIKON"], ImageFilter(camera_make_in=("NIKON",))),
        (["--camera", "COOLPIX P6000"], ImageFilter(camera_model_in=("COOLPIX P6000",))),
        (
            ["--type", "jpeg", "--type", "image/PNG"],
            ImageFilter(content_type_in=("image/jpeg", "image/png")),
        ),
        (["--near", "-33.9,151.2,25"], ImageFilter(near=GeoNear(-33.9, 151.2, 25))),
        (["--within", "10,-10,-170,170"], ImageFilter(within=GeoBox(10, -10, -170, 170))),
        (["--filename", "IMG_*.HEIC"], ImageFilter(filename="IMG_*.HEIC")),
        (["--with-location"], ImageFilter(has_location=True)),
        (["--without-location"], ImageFilter(has_location=False)),
        (["--orientation", "portrait"], ImageFilter(orientation=Orientation.PORTRAIT)),
        (["--min-width", "10", "--max-width", "20"], ImageFilter(width=IntRange(10, 20))),
        (["--min-height", "10"], ImageFilter(height=IntRange(10))),
        (["--max-height", "20"], ImageFilter(height=IntRange(None, 20))),
        (["--min-rating", "3"], ImageFilter(rating=IntRange(3))),
        (["--max-rating", "4"], ImageFilter(rating=IntRange(None, 4))),
        (["--status", "ready"], ImageFilter(status_in=(ImageStatus.READY,))),
        (["--not", str(ID)], ImageFilter(ids_not_in=(ID,))),
        (
            ["--taken-from", "2024", "--taken-before", "2024-06"],
            ImageFilter(
                taken_at_local=LocalTimeRange(
                    datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2024-06-01")
                )
            ),
        ),
        (
            ["--taken-before", "2024-05-31T18:00Z"],
            ImageFilter(taken_at=TimeRange(None, datetime(2024, 5, 31, 18, tzinfo=UTC))),
        ),
        (
            ["--created-from", "2024-05-31T18:00+02:00"],
            ImageFilter(
                created_at=TimeRange(datetime(2024, 5, 31, 18, tzinfo=timezone(timedelta(hours=2))))
            ),
        ),
        (
            ["--created-before", "2024-05-31"],
            ImageFilter(created_at=TimeRange(None, datetime(2024, 5, 31, tzinfo=UTC))),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_option_sets_its_condition_of_the_filter(
    arguments: list[str], expected: ImageFilter
) -> None:
    assert expected == parse_filter(*arguments)


def test_every_condition_of_the_filter_has_an_option() -> None:
    everything = parse(
        *("boat", "--tag", "a", "--any-tag", "a", "--no-tag", "a", "--keywords", "a"),
        *("--make", "a", "--camera", "a", "--type", "png", "--near", "1,2,3", "--with-location"),
        *("--within", "3,2,1,0", "--filename", "a*"),
        *("--orientation", "square", "--min-width", "1", "--min-height", "1"),
        *("--min-rating", "1"),
        *("--status", "ready", "--not", str(ID), "--taken-from", "2024", "--created-from", "2024"),
        *("--taken-before", "2025-01-01T00:00Z"),
    ).options()
    unset = [
        field.name
        for field in fields(ImageFilter)
        if getattr(everything.criteria, field.name) is None
    ]
    # The trash cannot be searched.
    assert ["deleted"] == unset


def test_options_set_relevance_collapse_and_exactness() -> None:
    arguments = parse(
        *("boat", "--min-relevance", "0.9", "--collapse", "near-duplicates", "--exact")
    )
    assert arguments.options() == SearchOptions(
        min_relevance=0.9, collapse=Collapse.NEAR_DUPLICATES, exact=True
    )


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "The query is missing: add TEXT, --image FILE, --image-id ID or --like TERM, since "),
        (["--unlike", "boats"], "The query is missing: "),
        (["photo.jpg"], "TEXT: photo.jpg is a file; --image photo.jpg searches by its picture."),
        (["--like", "photo.jpg"], "--like: photo.jpg is a file; --like @photo.jpg searches by "),
        (["--image", "foto.jpg"], "--image: there is no file foto.jpg; check its spelling."),
        (["a", "--unlike", "@foto.jpg"], "--unlike: there is no file foto.jpg; "),
        (["--image-id", "12"], "--image-id: 12 is not an id; copy one from a search."),
        (["a", "--not", "12"], "--not: 12 is not an id; "),
        (["a", "--like", "b^0"], "--like: The weight is 0; a like term weighs "),
        (["a", *["--unlike", "b"] * 11], "--unlike: unlike has 11 terms; at most 10."),
        (["a", "--near", "1,2"], "--near: 1,2 is not a place; write latitude, longitude and "),
        (["a", "--within", "1,2"], "--within: 1,2 is not a part of a map; write its edges in "),
        (["a", "--within", "1,2,3,4"], "--within: The edge in the south, 2, is north of the one"),
        (["a", "--near", "91,2,3"], "--near: The latitude is 91; it may be -90 to 90."),
        (["a", "--near", "nan,2,3"], "--near: The latitude is nan; it may be -90 to 90."),
        (["a", "--taken-from", "June"], "--taken-from: June is not a date; write it as 2024, "),
        (["a", "--created-before", "2024-13"], "--created-before: 2024-13 is not a date; "),
        (["a", "--type", "jpg"], "--type: jpg is not a supported type; supported types are jpeg, "),
        (["a", "--status", "failed"], "--status: only images that are ready can be found; "),
        (
            ["a", "--keywords", "\udcff"],
            "--keywords: The condition “keywords” has the character U+DCFF in it; ",
        ),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_a_refusal_names_the_option_and_the_remedy(arguments: list[str], sentence: str) -> None:
    assert refusal_message(*arguments).startswith(sentence)


def test_a_text_too_long_for_a_file_name_is_a_text_query() -> None:
    text = "a.b" * 1_000
    assert ByText(text) == parse(text).by()


def test_a_refusal_without_an_option_is_unchanged() -> None:
    with pytest.raises(InvalidArgument, match=r"^A sentence\.$"), parse("boat").naming_options():
        raise InvalidArgument(("elsewhere",), "A sentence.")


def test_a_refusal_located_in_an_option_names_it() -> None:
    arguments = parse("boat")
    filters = [("filter", name) for name in ("tags_all", "camera_make_in", "near", "ids_not_in")]
    for location in (*filters, ("min_relevance",), ("blend", "unlike", 0, "weight"), ("text",)):
        with (
            pytest.raises(InvalidArgument, match=r"^(--[a-z-]+|TEXT): "),
            arguments.naming_options(),
        ):
            raise InvalidArgument(location, "A sentence.")


@pytest.mark.usefixtures("photo")
def test_the_searches_in_the_documents_are_valid() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    commands = re.findall(r"^pictograph search (.*?)(?: +#.*)?$", text, re.MULTILINE)
    dog, harbour, photo = (parse(*shlex.split(line)) for line in commands)
    assert ByText("a dog on a beach") == dog.by()
    assert (
        ByBlend((WeightedTerm(ByText("a harbour")),), (WeightedTerm(ByText("boats")),))
        == harbour.by()
    )
    assert GeoNear(43.47, 11.88, 25) == harbour.options().criteria.near
    assert isinstance(photo.by(), ByBlend)
    assert SearchOptions(min_relevance=0.5, collapse=Collapse.NEAR_DUPLICATES) == photo.options()
