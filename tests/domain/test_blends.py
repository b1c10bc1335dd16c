"""Looking for several things at once, and leaving things out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.embeddings import QueryKind
from domain.entities.images import uuid7
from domain.entities.queries import ByBlend, ByImage, ByText, ByUpload, WeightedTerm
from domain.errors import ImageNotFound, InvalidArgument, Refusal, TooLarge, UnsupportedFormat
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.entities.queries import Term
    from domain.errors import Location
    from tests.fakes.encoder import FakeEncoder

RED, BLUE, GREEN = ByText("red"), ByText("blue"), ByText("green")
RED_FILE = picture_file(COLOURS["red"])


def blend(*like: Term, unlike: tuple[Term, ...] = ()) -> ByBlend:
    return ByBlend(tuple(map(WeightedTerm, like)), tuple(map(WeightedTerm, unlike)))


@pytest.fixture
def image(by_colour: dict[str, Image]) -> ByImage:
    return ByImage(by_colour["red"].id)


async def test_a_blend_finds_what_has_something_of_everything_first(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    page = await use_cases.search(
        blend(RED, ByUpload(upload(picture_file(COLOURS["blue"])))), first=3
    )
    assert by_colour["purple"] == page.found[0].image


async def test_a_blend_leaves_out_what_it_is_to_be_unlike(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    magenta = ByText("magenta")
    plain = await use_cases.search(magenta)
    without = await use_cases.search(blend(magenta, unlike=(RED,)))
    scores = [
        {found.image.filename: found.score for found in page.found} for page in (plain, without)
    ]
    assert by_colour["magenta"] == plain.found[0].image
    assert scores[1]["red.png"] < scores[0]["red.png"] - 0.3
    assert scores[1]["blue.png"] > scores[1]["red.png"]


async def test_the_parts_of_a_blend_keep_their_kinds_and_weights_in_order(
    use_cases: UseCases, image: ByImage
) -> None:
    by = ByBlend(
        (WeightedTerm(image, 2.0), WeightedTerm(RED, 0.5)),
        (WeightedTerm(ByUpload(upload(RED_FILE)), 0.75), WeightedTerm(BLUE)),
    )
    _, query = await use_cases.search.encode_query(by)
    text, picture = QueryKind.TEXT, QueryKind.IMAGE
    assert [(picture, 2.0), (text, 0.5), (picture, -0.75), (text, -1.0)] == [
        (part.kind, part.weight) for part in query.parts
    ]
    for term, part in zip(by.terms(), query.parts, strict=True):
        _, alone = await use_cases.search.encode_query(term[2].term)
        assert part.embedding == alone.embedding


async def test_a_blend_walks_as_far_as_its_wanted_texts_need(
    use_cases: UseCases, image: ByImage
) -> None:
    for by, kind in (
        (blend(image), QueryKind.IMAGE),
        (blend(image, unlike=(RED,)), QueryKind.IMAGE),
        (blend(image, RED), QueryKind.TEXT),
        (blend(RED, unlike=(image,)), QueryKind.TEXT),
    ):
        _, query = await use_cases.search.encode_query(by)
        assert kind == query.kind


async def test_a_search_for_one_thing_is_blended_from_nothing(use_cases: UseCases) -> None:
    _, query = await use_cases.search.encode_query(RED)
    assert () == query.blended
    [part] = query.parts
    assert (query.embedding, query.kind, 1.0) == (part.embedding, part.kind, part.weight)


async def test_all_texts_of_a_blend_are_encoded_at_once_and_images_not_at_all(
    use_cases: UseCases, image: ByImage, encoder: FakeEncoder
) -> None:
    calls, pictures = encoder.calls, len(encoder.pictures)
    await use_cases.search(blend(RED, image, GREEN, unlike=(BLUE, image)))
    assert calls + 1 == encoder.calls
    assert ["red", "green", "blue"] == encoder.texts
    assert pictures == len(encoder.pictures)


NOTHING = ByImage(uuid7())


@pytest.mark.parametrize(
    ("by", "location", "refusal"),
    [
        (blend(RED, RED, RED, ByText(" ")), ("blend", "like", 3, "term", "text"), InvalidArgument),
        (
            blend(RED, unlike=(ByText("a\0"),)),
            ("blend", "unlike", 0, "term", "text"),
            InvalidArgument,
        ),
        (blend(ByText("x" * 2_001)), ("blend", "like", 0, "term", "text"), InvalidArgument),
        (blend(RED, NOTHING), ("blend", "like", 1, "term", "image_id"), ImageNotFound),
        (blend(RED, unlike=(NOTHING,)), ("blend", "unlike", 0, "term", "image_id"), ImageNotFound),
        (NOTHING, ("image_id",), ImageNotFound),
        (
            blend(RED, ByUpload(upload(b"GIF89a"))),
            ("blend", "like", 1, "term", "image"),
            UnsupportedFormat,
        ),
        (
            blend(RED, unlike=(ByUpload(upload(b"x" * 1_001)),)),
            ("blend", "unlike", 0, "term", "image"),
            TooLarge,
        ),
        (ByUpload(upload(b"GIF89a")), ("image",), UnsupportedFormat),
        (ByText(""), ("text",), InvalidArgument),
    ],
)
async def test_a_term_that_cannot_be_is_refused_by_name(
    use_cases: UseCases, by: ByBlend | Term, location: Location, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal) as caught:
        await use_cases.search(by)
    assert location == caught.value.location


@pytest.mark.usefixtures("by_colour")
async def test_an_example_that_is_too_large_for_a_second_page_is_refused_by_name(
    use_cases: UseCases,
) -> None:
    page = await use_cases.search(blend(RED), first=1)
    large = blend(RED, ByUpload(upload(b"x" * 1_001)))
    with pytest.raises(TooLarge) as caught:
        await use_cases.search(large, after=page.found[0].cursor)
    assert ("blend", "like", 1, "term", "image") == caught.value.location


@pytest.mark.parametrize("weight", [0.0, -1.0, 1e-46, float("nan"), float("inf"), 100.5])
def test_a_weight_that_is_none_is_refused_by_name(weight: float) -> None:
    wrong, right = WeightedTerm(RED, weight), WeightedTerm(RED)
    for like, unlike, location in (
        ((right, wrong), (), ("blend", "like", 1, "weight")),
        ((right,), (wrong,), ("blend", "unlike", 0, "weight")),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            ByBlend(like, unlike)
        assert location == refusal.value.location
        assert "0.01 to 100" in refusal.value.message


@pytest.mark.parametrize(
    ("like", "unlike", "location"),
    [
        (0, 0, ("blend", "like")),
        (0, 1, ("blend", "like")),
        (11, 0, ("blend", "like")),
        (1, 11, ("blend", "unlike")),
        (10, 11, ("blend", "unlike")),
    ],
)
def test_no_terms_and_too_many_are_refused_by_name(
    like: int, unlike: int, location: Location
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        ByBlend((WeightedTerm(RED),) * like, (WeightedTerm(RED),) * unlike)
    assert location == refusal.value.location


@pytest.mark.usefixtures("by_colour")
async def test_a_blend_of_the_most_terms_is_answered(use_cases: UseCases) -> None:
    texts = [ByText(f"red {number}") for number in range(20)]
    page = await use_cases.search(blend(*texts[:10], unlike=tuple(texts[10:])))
    assert len(COLOURS) == len(page.found)


@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_of_a_blend_goes_on_with_the_same_blend(
    use_cases: UseCases, image: ByImage
) -> None:
    def by(text: str, filename: str) -> ByBlend:
        return blend(ByText(text), ByUpload(upload(RED_FILE, filename)), unlike=(BLUE, image))

    page = await use_cases.search(by("red car", "a.png"), first=2)
    rest = await use_cases.search(by(" red\n car", "b.png"), after=page.found[-1].cursor)
    assert len(COLOURS) - 2 == len(rest.found)
    assert page.search_id == rest.search_id


WEIGHTED = ByBlend((WeightedTerm(RED, 1.0), WeightedTerm(GREEN, 2.0)), (WeightedTerm(BLUE),))


@pytest.mark.parametrize(
    "other",
    [
        replace(WEIGHTED, like=WEIGHTED.like[::-1]),
        replace(WEIGHTED, like=(WeightedTerm(RED, 2.0), WeightedTerm(GREEN, 1.0))),
        replace(WEIGHTED, like=(*WEIGHTED.like, *WEIGHTED.unlike), unlike=()),
        replace(WEIGHTED, unlike=(*WEIGHTED.unlike, *WEIGHTED.unlike)),
        replace(WEIGHTED, unlike=(WeightedTerm(BLUE, 0.5),)),
        replace(WEIGHTED, unlike=(WeightedTerm(ByText("white")),)),
        replace(WEIGHTED, unlike=(WeightedTerm(ByUpload(upload(RED_FILE))),)),
        RED,
    ],
)
@pytest.mark.usefixtures("by_colour")
async def test_a_cursor_of_another_blend_is_refused(
    use_cases: UseCases, other: ByBlend | Term
) -> None:
    page = await use_cases.search(WEIGHTED, first=1)
    assert page.search.query_digest != await use_cases.search.encode_query.digest(other)
    with pytest.raises(InvalidArgument, match="belongs to another search") as refusal:
        await use_cases.search(other, after=page.found[0].cursor)
    assert ("after",) == refusal.value.location


async def test_a_question_has_the_digest_that_its_answer_is_kept_with(
    use_cases: UseCases, image: ByImage
) -> None:
    picture = ByUpload(upload(RED_FILE))
    for by in (RED, image, picture, blend(RED, image, picture, unlike=(picture, BLUE))):
        digest, _ = await use_cases.search.encode_query(by)
        assert digest == await use_cases.search.encode_query.digest(by)
