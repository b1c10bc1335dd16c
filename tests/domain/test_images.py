"""Images: their ids, their storage keys, and which of them are replaced."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

import pytest

from domain.entities.images import ImageStatus, Variant, check_dimensions, uuid7
from domain.errors import TooManyPixels
from tests.fakes.images import image_with


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = [uuid7() for _ in range(1_000)]
    assert {7} == {id_.version for id_ in made}
    assert {RFC_4122} == {id_.variant for id_ in made}
    assert len(set(made)) == 1_000


def test_an_id_begins_with_the_milliseconds_since_1970() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert before <= made.int >> 80 <= after


def test_ids_of_later_milliseconds_sort_later() -> None:
    earlier = uuid7()
    deadline = (earlier.int >> 80) + 1
    while time.time_ns() // 1_000_000 < deadline:
        pass
    assert earlier < uuid7()


def test_a_key_in_storage_is_made_of_the_id_and_the_variant() -> None:
    image_id = UUID("01890000-0000-7000-8000-000000000000")
    assert [variant.key_of(image_id) for variant in Variant] == [
        "01890000-0000-7000-8000-000000000000/original",
        "01890000-0000-7000-8000-000000000000/large",
        "01890000-0000-7000-8000-000000000000/thumbnail",
    ]


@pytest.mark.parametrize("status", ImageStatus)
def test_only_a_failed_image_is_replaced_when_the_same_bytes_arrive_again(
    status: ImageStatus,
) -> None:
    assert (status is ImageStatus.FAILED) == image_with(status=status).is_replaceable


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [
        (8_000, 8_000, "has 8,000 x 8,000 pixels; reduce it to at most 50,000,000 in all."),
        (40_000_000, 1, "has 40,000,000 x 1 pixels; reduce it to at most 65,535 on each side."),
        (1, 65_536, "has 1 x 65,536 pixels; reduce it to at most 65,535 on each side."),
        (2_001, 2, "crop it, so that its longer side is at most 1,000 times as long as the short"),
        (1, 1_001, "crop it, so that its longer side is at most 1,000 times as long as the short"),
    ],
)
def test_pictures_that_are_too_large_or_too_long_are_refused(
    width: int, height: int, sentence: str
) -> None:
    with pytest.raises(TooManyPixels, match=sentence):
        check_dimensions(width, height, max_pixels=50_000_000)


@pytest.mark.parametrize("size", [(7_071, 7_071), (65_535, 66), (2_000, 2), (1, 1_000), (1, 1)])
def test_pictures_at_the_limits_of_size_are_accepted(size: tuple[int, int]) -> None:
    check_dimensions(*size, max_pixels=50_000_000)
