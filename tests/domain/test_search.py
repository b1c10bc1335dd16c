"""Finding images by what they show."""

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
    from tests.fakes.searches import MemoryKeptSearches

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
async def test_a_filter_narrows_what_is_found(use_cases: UseCases) -> None:
    assert names(await use_cases.search(ByText("red"), SearchOptions(SEA))) in (
        ["blue", "green"],
        ["green", "blue"],
    )


async def test_an_empty_library_answers_with_an_empty_page(use_cases: UseCases) -> None:
    page = await use_cases.search(ByText("red"))
    assert (page.found, page.has_next, page.has_previous) == ((), False, False)


@pytest.mark.usefixtures("by_colour")
async def test_an_empty_page_still_tells_whether_something_was_found(use_cases: UseCases) -> None:
    page = await use_cases.search(ByText("red"), first=0)
    assert (page.found, page.has_next) == ((), True)


@pytest.mark.usefixtures("by_colour")
async def test_white_space_makes_no_other_question(
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
async def test_a_text_that_says_nothing_is_refused(
    use_cases: UseCases, text: str, message: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.search(ByText(text))
    assert (refusal.value.location, message) == (("text",), refusal.value.message)


async def test_a_text_of_the_largest_size_is_read(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    await use_cases.search(ByText("x" * 2_000 + "  "))
    assert encoder.texts == ["x" * 2_000]


@pytest.mark.parametrize("first", [-1, 101])
async def test_a_page_beyond_its_bounds_is_refused(use_cases: UseCases, first: int) -> None:
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
async def test_what_cannot_be_looked_for_is_refused(
    use_cases: UseCases, by: SearchBy, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        await use_cases.search(by)


async def test_a_busy_encoder_refuses_a_search(use_cases: UseCases, encoder: FakeEncoder) -> None:
    encoder.overloaded = True
    for by in (ByText("red"), ByUpload(upload(file("red")))):
        with pytest.raises(Overloaded):
            await use_cases.search(by)


@pytest.mark.usefixtures("by_colour")
async def test_a_search_can_be_asked_again_with_other_conditions(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    whole = await use_cases.search(ByText("green"))
    narrowed = await use_cases.search(BySearch(whole.search_id), SearchOptions(SEA))
    widened = await use_cases.search(BySearch(narrowed.search_id))

    assert names(narrowed) == ["green", "blue"]
    assert names(whole) == names(widened)
    assert len({whole.search_id, narrowed.search_id, widened.search_id}) == 3
    assert encoder.texts == ["green"]


async def test_a_search_asked_again_unchanged_answers_as_it_did(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    first = await use_cases.search(ByText("red"), first=3)
    await use_cases.upload([upload(picture_file((255, 0, 0), words="twin"), "twin.png")])
    await use_cases.delete([by_colour["red"].id])
    again = await use_cases.search(BySearch(first.search_id), first=3)

    assert first.search_id == again.search_id
    assert names(first)[1:] == names(again)[:2]


async def test_a_kept_search_says_what_it_was_made_from(
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


class Crowded(FakeImaging):
    """Decodes when as many examples as may be in memory are there, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.examples = self.most = 0
        self.crowd = asyncio.Event()

    def example(self, number: int) -> Upload:
        async def read() -> bytes:
            self.examples += 1
            self.most = max(self.most, self.examples)
            if self.examples == MAX_FILES_IN_MEMORY:
                self.crowd.set()
            return picture_file(words=str(number))

        return Upload("picture.png", 1, read)

    async def decode_pixels(self, data: bytes) -> Pixels:
        await self.crowd.wait()
        self.examples -= 1
        return await super().decode_pixels(data)


async def test_only_so_many_examples_are_in_memory_at_once(use_cases: UseCases) -> None:
    crowded = Crowded()
    questions = replace(use_cases.search.encode_query, imaging=crowded)
    search = replace(use_cases.search, encode_query=questions)
    await asyncio.gather(*(search(ByUpload(crowded.example(number))) for number in range(30)))
    assert crowded.most == MAX_FILES_IN_MEMORY
