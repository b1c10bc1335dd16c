"""ThumbHashes: byte for byte those of the reference implementation, whose answers are recorded."""

from __future__ import annotations

import base64
import hashlib
import platform
import random
from math import cos, sin

import pytest
from PIL import Image

from infra.pillow.renditions import placeholder
from infra.pillow.thumbhash import thumbhash


def plain(width: int, height: int, colour: bytes) -> bytes:
    return colour * (width * height)


def gradient(width: int, height: int) -> bytes:
    return bytes(
        value
        for y in range(height)
        for x in range(width)
        for value in (255 * x // width, 255 * y // height, 255 - 255 * x // width)
    )


def noise(width: int, height: int) -> bytes:
    return random.Random(width * height).randbytes(3 * width * height)


def grey_waves(width: int, height: int) -> bytes:
    return b"".join(
        bytes([round(127.5 + 127.5 * sin(x / 5) * cos(y / 7))]) * 3
        for y in range(height)
        for x in range(width)
    )


def flag(width: int, height: int) -> bytes:
    """Return a blue field with a yellow cross."""
    return b"".join(
        b"\xff\xcc\x00" if x * 8 // width == 2 or y * 5 // height == 2 else b"\x00\x52\x93"
        for y in range(height)
        for x in range(width)
    )


# Made by version 0.1.2 of the package thumbhash, a translation of the reference implementation.
RECORDED = [
    ("gradient", 32, 21, "nwcKnZp4eIiAiIiHiHiHh4CFCPh4"),
    ("gradient", 21, 32, "n/cJnRqHiICIiIh4h4h4iIB1CPh4"),
    ("gradient", 32, 32, "n/cJnxp4eIiAiIiIiHiIiIiHCFiHgI8H"),
    ("gradient", 32, 3, "HEcKmZp4eIhweHh4gHUH+Ig="),
    ("gradient", 2, 32, "34QJiRp4gIiIh4iHcHUY93g="),
    ("gradient", 100, 67, "3wcKnZqHh4iAiIeIiHiIiICFCPh3"),
    ("noise", 32, 21, "H/gBDYK1JEh2PHr2hXZqRwipJ/Tk"),
    ("noise", 21, 32, "H/gBBQRmmqZJa492dldVpw/qBbmm"),
    ("noise", 32, 32, "HwgCDwJJr63GqFV8eONmt/lDbdzyp6AH"),
    ("noise", 32, 3, "YCcGGYy5Y/W5pEh4JwiaX0k="),
    ("noise", 2, 32, "3vcFEQR+qoiKkEe8jX+LKPQ="),
    ("noise", 100, 67, "4AcCBYA5uEOJp2p/V7p2htDOXmwL"),
    ("grey waves", 32, 21, "IAgOBYB5h4f3N2h3iId4dwAAAAAA"),
    ("grey waves", 21, 32, "HQgOBQCliM9xt0pnh4h3hwAAAAAA"),
    ("grey waves", 32, 32, "IAgOBwCEioj3N2i3V4iGeHh4CAAAAAAA"),
    ("grey waves", 32, 3, "HwgaAYB/g4aHd3iHAAAAAAA="),
    ("grey waves", 2, 32, "HwgGAQB6L7d1hniHAAAAAAA="),
    ("grey waves", 100, 67, "IAgGBYCIh3eIiIh4d6evhwAAAAAA"),
    ("flag", 32, 21, "mKcFbYpqQ7iHd4eAd5eHfmqHoHYI"),
    ("flag", 21, 32, "2KcJfQxpZYd3B3iHh31oSGmHkHYI"),
    ("flag", 32, 32, "GbgJfwxqVLiHd4eAd4eH2IeGpHYIaocA"),
    ("flag", 32, 3, "FXYFMYRMINmIiHeHL4f4gog="),
    ("flag", 2, 32, "15YJiQ54hwiIiI1GiIdweAg="),
    ("flag", 100, 67, "2acJdYxqU7iHd4eAZ4eHfWqHoHYI"),
]


# Of the hashes that an implementation without NumPy made, one sum after another.
PLAIN_PYTHON_DIGEST = "04331189e24429b359783aa5d8abd4914d6749b830aceb98b041edc433701fae"


@pytest.mark.parametrize(("picture", "width", "height", "expected"), RECORDED)
def test_a_picture_hashes_as_by_the_reference_implementation(
    picture: str, width: int, height: int, expected: str
) -> None:
    pixels = {"gradient": gradient, "noise": noise, "grey waves": grey_waves, "flag": flag}
    hashed = thumbhash(width, height, pixels[picture](width, height))
    assert expected == base64.b64encode(hashed).decode()


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        (b"\xff\xff\xff", "PwgCBYBHT7h8eHiGeCh3eAAAAAAA"),
        (b"\x00\x00\x00", "AAgCBYAAAAAAAAAAAAAAAAAAAAAA"),
        (b"\xff\x00\x00", "1fsDBYB+apl3h4iAeId4gyd/dvJn"),
        (b"\x12\x88\x8e", "2BUBBYB4d4iIiIdwiId3d/eHeYj4"),
    ],
)
@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="These rounding errors are those of glibc's cosine."
)
def test_one_colour_hashes_to_the_same_rounding_errors(colour: bytes, expected: str) -> None:
    assert expected == base64.b64encode(thumbhash(32, 24, plain(32, 24, colour))).decode()


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="These rounding errors are those of glibc's cosine."
)
def test_pictures_of_many_sizes_hash_as_they_did_in_plain_python() -> None:
    chosen = random.Random(0)
    digest = hashlib.sha256()
    for _ in range(100):
        width, height = chosen.randint(1, 100), chosen.randint(1, 100)
        colour = chosen.randbytes(3)
        for rgb in (noise(width, height), gradient(width, height), plain(width, height, colour)):
            digest.update(thumbhash(width, height, rgb))
    assert PLAIN_PYTHON_DIGEST == digest.hexdigest()


@pytest.mark.parametrize(
    ("size", "length"), [((1, 1), 24), ((100, 100), 24), ((100, 1), 17), ((32, 24), 21)]
)
def test_a_hash_is_as_long_as_the_shape_of_the_picture_says(
    size: tuple[int, int], length: int
) -> None:
    assert length == len(thumbhash(*size, noise(*size)))


@pytest.mark.parametrize("size", [(101, 1), (1, 101), (0, 1), (1, 0)])
def test_a_picture_outside_the_format_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} does not fit in 100x100"):
        thumbhash(*size, bytes(3 * size[0] * size[1]))


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes are not 2x2 pixels of RGB"):
        thumbhash(2, 2, bytes(16))


def test_transparent_pixels_count_as_white() -> None:
    picture = Image.frombytes("RGB", (32, 21), flag(32, 21)).convert("RGBA")
    picture.paste((9, 9, 9, 0), (0, 0, 32, 10))
    on_white = picture.convert("RGB")
    on_white.paste((255, 255, 255), (0, 0, 32, 10))
    assert placeholder(on_white) == placeholder(picture)
    assert base64.b64encode(thumbhash(32, 21, on_white.tobytes())).decode() == placeholder(picture)
