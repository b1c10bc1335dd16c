"""What a live search asks of a catalog: which of some images match, and what became READY since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.images import ImageStatus, uuid7
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.entities.images import ReadyPosition
    from tests.postgres_library import ImageLibrary

pytestmark = pytest.mark.parametrize("catalog", ["memory", "postgres"], indirect=True)

EAST = (1.0, 0.0, 0.0)
FIRST = UUID(int=0)


async def test_those_that_match_are_told_from_those_that_do_not(catalog: ImageLibrary) -> None:
    wanted, other, unasked = (image_with(tags=tags) for tags in (("sea",), (), ("sea",)))
    for image in (wanted, other, unasked):
        await catalog.add(image, EAST)
    asked = [wanted.id, other.id, uuid7()]
    assert {wanted.id} == await catalog.matching(asked, ImageFilter(tags_any=("sea",)))
    assert {wanted.id, other.id} == await catalog.matching(asked, ImageFilter())
    assert set() == await catalog.matching([], ImageFilter())


async def places(
    catalog: ImageLibrary, place: ReadyPosition, *, limit: int = 2
) -> list[ReadyPosition]:
    found: list[ReadyPosition] = []
    while portion := await catalog.ready_after(place, limit=limit):
        assert len(portion) <= limit
        found += portion
        place = portion[-1]
    return found


async def test_images_lie_in_the_order_of_becoming_ready(catalog: ImageLibrary) -> None:
    start = datetime.now(UTC) - timedelta(minutes=1)
    images = [image_with() for _ in range(5)]
    for image in reversed(images):
        await catalog.add(image, EAST)
    await catalog.add_pending(image_with(status=ImageStatus.PROCESSING))
    await catalog.add(image_with(status=ImageStatus.FAILED), EAST)
    found = await places(catalog, (start, FIRST))
    assert sorted(found) == found
    assert [image.id for image in reversed(images)] == [image_id for _, image_id in found]
    assert found[3:] == await places(catalog, found[2])
    assert all(instant.tzinfo and start < instant for instant, _ in found)
    assert [] == await places(catalog, (found[-1][0] + timedelta(hours=1), FIRST))
    await catalog.delete([found[0][1]])
    assert found[1:] == await places(catalog, (start, FIRST))
