"""The contract of ReadyFeed: which images match a filter, and which became READY since."""

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
FIRST_ID = UUID(int=0)


async def test_only_given_images_that_match_are_returned(catalog: ImageLibrary) -> None:
    matching, other, not_given = (image_with(tags=tags) for tags in (("sea",), (), ("sea",)))
    for image in (matching, other, not_given):
        await catalog.add(image, EAST)
    ids = [matching.id, other.id, uuid7()]
    assert {matching.id} == await catalog.matching(ids, ImageFilter(tags_any=("sea",)))
    assert {matching.id, other.id} == await catalog.matching(ids, ImageFilter())
    assert set() == await catalog.matching([], ImageFilter())


async def read_feed(
    catalog: ImageLibrary, position: ReadyPosition, *, limit: int = 2
) -> list[ReadyPosition]:
    """Return all positions after one, read in pages."""
    positions: list[ReadyPosition] = []
    while page := await catalog.ready_after(position, limit=limit):
        assert len(page) <= limit
        positions += page
        position = page[-1]
    return positions


async def test_the_feed_has_images_in_the_order_in_which_they_became_ready(
    catalog: ImageLibrary,
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=1)
    images = [image_with() for _ in range(5)]
    for image in reversed(images):
        await catalog.add(image, EAST)
    await catalog.add_pending(image_with(status=ImageStatus.PROCESSING))
    await catalog.add(image_with(status=ImageStatus.FAILED), EAST)
    feed = await read_feed(catalog, (start, FIRST_ID))
    assert sorted(feed) == feed
    assert [image.id for image in reversed(images)] == [image_id for _, image_id in feed]
    assert feed[3:] == await read_feed(catalog, feed[2])
    assert all(instant.tzinfo and start < instant for instant, _ in feed)
    assert [] == await read_feed(catalog, (feed[-1][0] + timedelta(hours=1), FIRST_ID))
    await catalog.delete([feed[0][1]])
    assert feed[1:] == await read_feed(catalog, (start, FIRST_ID))
