"""The contract of when an image was last changed, and of the filter by file name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.filters import ImageFilter
from domain.entities.images import ImageChanges, ImageStatus
from domain.entities.listing import Sort, Window
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tests.postgres_library import ImageLibrary

EMBEDDING = (1.0, 0.0, 0.0)


async def updated_at(catalog: ImageLibrary, image_id: UUID) -> datetime | None:
    return (await catalog.get([image_id]))[image_id].updated_at


async def test_each_change_of_tags_text_rating_or_status_is_an_update(
    catalog: ImageLibrary,
) -> None:
    image = image_with(status=ImageStatus.PROCESSING)
    await catalog.add_pending(image)
    assert await updated_at(catalog, image.id) is None
    seen: list[datetime | None] = []
    for change in (
        lambda: catalog.make_ready(replace(image, status=ImageStatus.READY), EMBEDDING),
        lambda: catalog.tag([image.id], add=["sea"]),
        lambda: catalog.tag([image.id], remove=["sea"]),
        lambda: catalog.update(image.id, ImageChanges(alt_text="The sea")),
        lambda: catalog.update(image.id, ImageChanges(rating=4)),
        lambda: catalog.update(image.id, ImageChanges(rating=None)),
    ):
        await change()
        seen.append(await updated_at(catalog, image.id))
    assert len(seen) == len({each for each in seen if each is not None})
    assert sorted(seen, key=str) == seen


async def test_a_change_to_the_same_value_is_no_update(catalog: ImageLibrary) -> None:
    image = image_with(tags=("sea",), rating=4)
    await catalog.add(image, EMBEDDING)
    await catalog.tag([image.id], add=["sea"], remove=["lake"])
    await catalog.update(image.id, ImageChanges(rating=4))
    assert await updated_at(catalog, image.id) is None
    changed = await catalog.update(image.id, ImageChanges(rating=5))
    first = await updated_at(catalog, image.id)
    assert first == changed.updated_at
    await catalog.update(image.id, ImageChanges(rating=5))
    await catalog.mark_copied(image.id)
    assert first == await updated_at(catalog, image.id)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_1.HEIC", {"IMG_1.HEIC"}),
        ("img_1.heic", set()),
        ("IMG_*", {"IMG_1.HEIC", "IMG_2.jpg"}),
        ("*.jpg", {"IMG_2.jpg", "100%.jpg", "a\\b.jpg", "写真.jpg"}),
        ("*", {"IMG_1.HEIC", "IMG_2.jpg", "IMGx1.HEIC", "100%.jpg", "a\\b.jpg", "写真.jpg"}),
        ("I*1*C", {"IMG_1.HEIC", "IMGx1.HEIC"}),
        ("100%*", {"100%.jpg"}),
        ("1%.jpg", set()),
        ("a\\b*", {"a\\b.jpg"}),
        ("写*", {"写真.jpg"}),
        ("", set()),
    ],
)
async def test_a_file_name_is_matched_whole_with_stars_for_any_characters(
    catalog: ImageLibrary, name: str, expected: set[str]
) -> None:
    for each in ("IMG_1.HEIC", "IMG_2.jpg", "IMGx1.HEIC", "100%.jpg", "a\\b.jpg", "写真.jpg"):
        await catalog.add(image_with(filename=each), EMBEDDING)
    page = await catalog.list(ImageFilter(filename=name), Sort(), Window(100))
    assert expected == {image.filename for image in page.images}
