"""Searching by text, example, image and kept search."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.concurrency import MAX_FILES_IN_MEMORY
from domain.entities.embeddings import QueryKind
from domain.entities.filters import ImageFilter
from domain.entities.images import uuid7
from domain.entities.queries import ByImage, BySearch, ByText, ByUpload, SearchOptions
from domain.entities.uploads import Upload
from domain.errors import (
    ImageNotFound,
    InvalidArgument,
    Overloaded,
    Refusal,
    SearchExpired,
    TooLarge,
    UnsupportedFormat,
)
from tests.fakes.encoder import COLOURS, FakeEncoder
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image, Pixels
    from domain.entities.queries import SearchBy
    from domain.entities.searches import SearchPage
    from tests.fakes.clock import SettableClock
    from tests.fakes.kept_searches import MemoryKeptSearches

SEA = ImageFilter(tags_any=("sea",))


def file(colour: str) -> bytes:
    return picture_file(COLOURS[colour])


def names(page: SearchPage) -> list[str]:
    return [found.image.filename.removesuffix(".png") for found in page.found]


@pytest.mark.usefixtures("by_colour")
@pytest.mark.parametrize("colour", COLOURS)
async def test_a_text_finds_what_it_describes_first(colour: str, use_cases: UseCases) -> None:
    page = await use_cases.search(ByText(f"a {colour} picture"))

    assert names(page)[0] == colour
    assert len(COLOURS) == len(page.found)
    scores = [found.score for found in page.found]
    assert sorted(scores, reverse=True) == scores
    assert scores[0] > 0.9
    assert (page.has_previous, page.has_next, page.search.exact) == (False, False, True)


async def test_an_example_finds_what_looks_like_it_first(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    page = await use_cases.search(ByUpload(upload(file("red"))))

    assert by_colour["red"] == page.found[0].image
    assert page.found[0].score == pytest.approx(1)


async def test_an_image_finds_itself_first(
    use_cases: UseCases, by_colour: dict[str, Image], encoder: FakeEncoder
) -> None:
    calls = encoder.calls
    page = await use_cases.search(ByImage(by_colour["blue"].id))

    assert names(page)[0] == "blue"
    assert calls == encoder.calls


@pytest.mark.usefixtures("by_colour")
async def test_only_images_that_match_the_filter_are_found(use_cases: UseCases) -> None:
    assert names(await use_cases.search(ByText("red"), SearchOptions(SEA))) in (
        ["blue", "green"],
        ["green", "blue"],
    )


async def test_a_search_of_an_empty_library_returns_an_empty_page(use_cases: UseCases) -> None:
    page = await use_cases.search(ByText("red"))
    assert (page.found, page.has_next, page.has_previous) == ((), False, False)


@pytest.mark.usefixtures("by_colour")
async def test_an_empty_page_tells_whether_there_are_hits(use_cases: UseCases) -> None:
    page = await use_cases.search(ByText("red"), first=0)
    assert (page.found, page.has_next) == ((), True)


@pytest.mark.usefixtures("by_colour")
async def test_queries_that_differ_in_white_space_only_are_the_same(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    page = await use_cases.search(ByText(" red \n car "), first=1)
    await use_cases.search(ByText("red car"), first=1, after=page.found[-1].cursor)
    assert encoder.texts == ["red car"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n ", "The text is blank; say in words what to look for."),
        ("x" * 2_001, "The text has 2,001 characters; at most 2,000 are read."),
        ("a\0b", "The text has the character U+0000 in it; leave that out."),
        ("\ud800", "The text has the character U+D800 in it; leave that out."),
    ],
)
async def test_a_blank_overlong_or_unstorable_text_is_refused(
    use_cases: UseCases, text: str, message: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.search(ByText(text))
    assert (refusal.value.location, message) == (("text",), refusal.value.message)


async def test_a_text_of_the_maximum_length_is_accepted(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    await use_cases.search(ByText("x" * 2_000 + "  "))
    assert encoder.texts == ["x" * 2_000]


@pytest.mark.parametrize("first", [-1, 101])
async def test_a_page_size_out_of_range_is_refused(use_cases: UseCases, first: int) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.search(ByText("red"), first=first)
    assert refusal.value.location == ("first",)
    assert f"first is {first}; it may be 0 to 100." == refusal.value.message


@pytest.mark.parametrize(
    ("by", "refusal"),
    [
        (ByUpload(upload(b"GIF89a")), UnsupportedFormat),
        (ByUpload(upload(b"x" * 1_001)), TooLarge),
        (ByImage(uuid7()), ImageNotFound),
        (BySearch(uuid7()), SearchExpired),
    ],
)
async def test_an_invalid_query_is_refused(
    use_cases: UseCases, by: SearchBy, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        await use_cases.search(by)


async def test_a_search_is_refused_while_the_encoder_is_overloaded(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    encoder.overloaded = True
    for by in (ByText("red"), ByUpload(upload(file("red")))):
        with pytest.raises(Overloaded):
            await use_cases.search(by)


@pytest.mark.usefixtures("by_colour")
async def test_a_kept_search_can_be_run_again_with_another_filter(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    whole = await use_cases.search(ByText("green"))
    narrowed = await use_cases.search(BySearch(whole.search_id), SearchOptions(SEA))
    widened = await use_cases.search(BySearch(narrowed.search_id))

    assert names(narrowed) == ["green", "blue"]
    assert names(whole) == names(widened)
    assert len({whole.search_id, narrowed.search_id, widened.search_id}) == 3
    assert encoder.texts == ["green"]


async def test_a_kept_search_run_again_unchanged_returns_the_same_hits(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    first = await use_cases.search(ByText("red"), first=3)
    await use_cases.upload([upload(picture_file((255, 0, 0), words="twin"), "twin.png")])
    await use_cases.delete([by_colour["red"].id])
    again = await use_cases.search(BySearch(first.search_id), first=3)

    assert first.search_id == again.search_id
    assert names(first)[1:] == names(again)[:2]


async def test_a_kept_search_stores_its_kind_model_and_time(
    use_cases: UseCases,
    by_colour: dict[str, Image],
    *,
    searches: MemoryKeptSearches,
    clock: SettableClock,
) -> None:
    for by, kind in (
        (ByText("red"), QueryKind.TEXT),
        (ByUpload(upload(file("red"))), QueryKind.IMAGE),
        (ByImage(by_colour["red"].id), QueryKind.IMAGE),
    ):
        page = await use_cases.search(by)
        kept = await searches.load(page.search_id, since=clock())
        assert (kept.query.kind, kept.model, kept.created_at) == (kind, "fake", clock.now)


class CountingImaging(FakeImaging):
    """Counts the examples in memory. Decoding waits until as many as allowed are there."""

    def __init__(self) -> None:
        super().__init__()
        self.examples = self.most = 0
        self.is_full = asyncio.Event()

    def example(self, number: int) -> Upload:
        async def read() -> bytes:
            self.examples += 1
            self.most = max(self.most, self.examples)
            if self.examples == MAX_FILES_IN_MEMORY:
                self.is_full.set()
            return picture_file(words=str(number))

        return Upload("picture.png", 1, read)

    async def decode_pixels(self, data: bytes) -> Pixels:
        await self.is_full.wait()
        self.examples -= 1
        return await super().decode_pixels(data)


async def test_the_number_of_examples_in_memory_is_bounded(use_cases: UseCases) -> None:
    imaging = CountingImaging()
    encode_query = replace(use_cases.search.encode_query, imaging=imaging)
    search = replace(use_cases.search, encode_query=encode_query)
    await asyncio.gather(*(search(ByUpload(imaging.example(number))) for number in range(30)))
    assert imaging.most == MAX_FILES_IN_MEMORY
