"""Zero-shot classification."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from domain.entities.embeddings import EmbeddingModel
from domain.entities.facets import FacetValue
from domain.entities.filters import EVERYTHING, ImageFilter
from domain.entities.images import ImageStatus, uuid7
from domain.entities.labels import Candidates
from domain.errors import InvalidArgument, Overloaded
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain import UseCases
    from domain.entities.images import Image
    from domain.errors import Location
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.encoder import FakeEncoder

COLOURS = Candidates.of(["red", "green", "blue"])


async def test_shares_come_best_first_and_add_up_to_one(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    [red, blue] = await use_cases.label([(by_colour[name].id, COLOURS) for name in ("red", "blue")])
    assert ("red", "blue") == (red[0].label, blue[0].label)
    for scores in (red, blue):
        assert {"red", "green", "blue"} == {score.label for score in scores}
        shares = [score.share for score in scores]
        assert sorted(shares, reverse=True) == shares
        assert pytest.approx(1) == math.fsum(shares)


async def test_shares_are_the_softmax_of_the_cosines_at_the_models_temperature(
    use_cases: UseCases, by_colour: dict[str, Image], encoder: FakeEncoder, catalog: MemoryCatalog
) -> None:
    encoder.model = EmbeddingModel("fake", 16, logit_scale=3.0)
    image = by_colour["orange"].id
    [scores] = await use_cases.label([(image, COLOURS)])
    points = await encoder.encode_texts([f"a photo of {label}" for label in COLOURS.labels])
    weights = [math.exp(3 * cosine) for cosine in (await catalog.cosines([image], points))[image]]
    expected = {
        label: weight / sum(weights) for label, weight in zip(COLOURS.labels, weights, strict=True)
    }
    assert pytest.approx(expected) == {score.label: score.share for score in scores}


async def test_one_label_has_the_whole_share(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    [[only]] = await use_cases.label([(by_colour["red"].id, Candidates.of(["a green boat"]))])
    assert ("a green boat", 1.0) == (only.label, only.share)


async def test_each_label_is_encoded_once_and_no_picture_is(
    use_cases: UseCases, by_colour: dict[str, Image], encoder: FakeEncoder
) -> None:
    encoder.calls, pictures = 0, len(encoder.pictures)
    warm = Candidates.of(["red", "orange"])
    asked = [(image.id, which) for image in by_colour.values() for which in (COLOURS, warm)]
    answered = await use_cases.label(asked)
    assert [3, 2] * len(by_colour) == [len(scores) for scores in answered]
    assert 1 == encoder.calls
    assert ["red", "green", "blue", "orange"] == [text.split()[-1] for text in encoder.texts]
    assert pictures == len(encoder.pictures)


async def test_an_image_that_is_gone_or_not_ready_has_no_labels(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    failed = await catalog.add(image_with(status=ImageStatus.FAILED), [1.0] * 16)
    assert [(), ()] == await use_cases.label([(failed.id, COLOURS), (uuid7(), COLOURS)])
    assert [] == await use_cases.label([])


async def test_each_image_counts_for_the_label_that_fits_it_best(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    assert (FacetValue("blue", 1), FacetValue("red", 1), FacetValue("green", 0)) == (
        await use_cases.label.count(
            [by_colour["blue"].id, by_colour["red"].id, uuid7()],
            Candidates.of(["green", "blue", "red"]),
        )
    )
    sea = await use_cases.label.count(ImageFilter(tags_any=("sea",)), COLOURS)
    assert {"green": 1, "blue": 1, "red": 0} == {value.value: value.count for value in sea}
    everything = await use_cases.label.count(EVERYTHING, COLOURS)
    assert len(by_colour) == sum(value.count for value in everything)


async def test_labels_that_fit_none_are_there_in_the_order_asked(use_cases: UseCases) -> None:
    assert [("red", 0), ("green", 0), ("blue", 0)] == [
        (value.value, value.count) for value in await use_cases.label.count(EVERYTHING, COLOURS)
    ]


@pytest.mark.usefixtures("by_colour")
async def test_an_encoder_that_has_too_much_to_do_says_so(
    use_cases: UseCases, encoder: FakeEncoder
) -> None:
    encoder.overloaded = True
    with pytest.raises(Overloaded):
        await use_cases.label.count(EVERYTHING, COLOURS)


def test_white_space_around_labels_is_dropped() -> None:
    assert Candidates.of(["a dog", "cat"]) == Candidates.of(["  a \n dog ", "cat"])


@pytest.mark.parametrize(
    ("candidates", "location", "says"),
    [
        ([], ("candidates",), "0 labels were sent; send 1 to 50."),
        ([str(n) for n in range(51)], ("candidates",), "51 labels were sent; send 1 to 50."),
        (["a", "b", " "], ("candidates", 2), "A label is blank; give it a word, or leave it out."),
        (["a", "b", "a "], ("candidates", 2), "The label “a” was sent twice; send it once."),
        (
            ["b" * 101],
            ("candidates", 0),
            "The label “bbbbbbbbbbbbbbbbbbbb…” has 101 characters; at most 100 fit.",
        ),
        (
            ["\ud83d"],
            ("candidates", 0),
            "The label has the character U+D83D in it; leave that out.",
        ),
        (["a\0"], ("candidates", 0), "The label has the character U+0000 in it; leave that out."),
    ],
)
def test_candidates_that_make_no_sense_are_refused(
    candidates: Sequence[str], location: Location, says: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Candidates.of(candidates)
    assert (location, says) == (refused.value.location, refused.value.message)
