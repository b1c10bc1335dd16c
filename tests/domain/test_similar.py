"""Finding images similar to an image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.images import uuid7
from domain.errors import ImageNotFound
from tests.fakes.encoder import COLOURS

if TYPE_CHECKING:
    from uuid import UUID

    from domain import UseCases
    from domain.entities.images import Image

SEA = ImageFilter(tags_any=("sea",))


@pytest.mark.parametrize("colour", COLOURS)
async def test_similar_images_never_show_the_image_itself(
    use_cases: UseCases, by_colour: dict[str, Image], colour: str
) -> None:
    image_id = by_colour[colour].id
    seen: list[UUID] = []
    after = None
    while (page := await use_cases.similar(image_id, first=3, after=after)).found:
        seen += [found.image.id for found in page.found]
        after = page.found[-1].cursor

    assert {image.id for image in by_colour.values()} - {image_id} == set(seen)
    assert len(COLOURS) - 1 == len(seen)


async def test_similar_images_match_the_filter_and_its_excluded_ids(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    without_green = replace(SEA, ids_not_in=(by_colour["green"].id,))
    [found] = (await use_cases.similar(by_colour["red"].id, criteria=without_green)).found
    assert by_colour["blue"] == found.image
    assert (await use_cases.similar(by_colour["blue"].id, criteria=without_green)).found == ()


async def test_images_similar_to_a_missing_image_are_refused(use_cases: UseCases) -> None:
    with pytest.raises(ImageNotFound):
        await use_cases.similar(uuid7())
