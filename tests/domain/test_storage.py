"""Keys and ranges of storage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.images import Variant, uuid7
from domain.entities.storage import ByteRange, parse_key

ID = "01890000-0000-7000-8000-00000000000a"


@pytest.mark.parametrize("variant", Variant)
def test_parsing_a_key_returns_its_parts(variant: Variant) -> None:
    image_id = uuid7()
    assert (image_id, variant) == parse_key(variant.key_of(image_id))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "original",
        ID,
        f"{ID}/",
        f"{ID}/huge",
        f"{ID}/original/",
        f"{ID.upper()}/original",
        f"{ID.replace('-', '')}/original",
        f"{{{ID}}}/original",
        f"urn:uuid:{ID}/original",
        f"/{ID}/original",
        f"../{ID}/original",
    ],
)
def test_a_foreign_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the text is asserted below
        parse_key(key)
    assert f"{key!r} is not a key of an image" == str(refusal.value)


@pytest.mark.parametrize(
    ("byte_range", "first_and_count"),
    [
        (ByteRange(0), (0, 10)),
        (ByteRange(0, 0), (0, 1)),
        (ByteRange(3, 5), (3, 3)),
        (ByteRange(9), (9, 1)),
        (ByteRange(3, 99), (3, 7)),
        (ByteRange(-4), (6, 4)),
        (ByteRange(-99), (0, 10)),
    ],
)
def test_a_range_resolves_to_an_offset_and_a_count(
    byte_range: ByteRange, first_and_count: tuple[int, int]
) -> None:
    assert first_and_count == byte_range.within(10)


@pytest.mark.parametrize(
    ("byte_range", "size"),
    [(ByteRange(10), 10), (ByteRange(5, 4), 10), (ByteRange(0), 0), (ByteRange(-1), 0)],
)
def test_a_range_that_contains_no_byte_is_refused(byte_range: ByteRange, size: int) -> None:
    with pytest.raises(ValueError, match=f"^the range contains none of {size} bytes$"):
        byte_range.within(size)


@given(
    data=st.binary(max_size=20),
    first=st.integers(-25, 25),
    last=st.none() | st.integers(0, 25),
)
def test_a_range_selects_the_same_bytes_as_slicing(
    data: bytes, first: int, last: int | None
) -> None:
    expected = data[first:] if first < 0 or last is None else data[first : last + 1]
    byte_range = ByteRange(first, None if first < 0 else last)
    if not expected:
        with pytest.raises(ValueError, match="range contains none"):
            byte_range.within(len(data))
        return
    start, count = byte_range.within(len(data))
    assert expected == data[start : start + count]
    assert len(expected) == count
