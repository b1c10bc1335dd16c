"""Counting the values of facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.facets import Facet, FacetRequest, FacetValue
from domain.entities.filters import EVERYTHING, ImageFilter
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image


async def test_each_that_is_wanted_is_answered_in_order_at_its_own_length(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    await use_cases.tag([by_colour["red"].id], ["lake"])
    lake, sea = FacetValue("lake", 1), FacetValue("sea", 2)
    assert [(sea,), (sea, lake), (FacetValue("image/png", 12),), (sea, lake), ()] == (
        await use_cases.facets(
            EVERYTHING,
            [
                FacetRequest(Facet.TAG, 1),
                FacetRequest(Facet.TAG, 2),
                FacetRequest(Facet.CONTENT_TYPE),
                FacetRequest(Facet.TAG),
                FacetRequest(Facet.MONTH, 3),
            ],
        )
    )


async def test_a_filter_or_ids_say_what_is_counted(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    sea = [FacetRequest(Facet.TAG, 5)]
    assert [()] == await use_cases.facets(ImageFilter(tags_none=("sea",)), sea)
    ids = [by_colour[colour].id for colour in ("red", "blue")]
    assert [(FacetValue("sea", 1),)] == await use_cases.facets(ids, sea)


@pytest.mark.parametrize("first", [0, -1, 101, 2**70])
def test_less_than_one_value_and_more_than_a_hundred_are_refused(first: int) -> None:
    with pytest.raises(InvalidArgument, match=r"first is -?\d+; it may be 1 to 100") as refused:
        FacetRequest(Facet.TAG, first)
    assert ("first",) == refused.value.location
