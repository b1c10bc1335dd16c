"""Malicious, misnamed, damaged and truncated files are refused."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from domain.errors import InvalidContent, Refusal, TooManyPixels, UnsupportedFormat
from infra.pillow.decode import PictureDecoder
from infra.pillow.picture_files import PictureLimits
from tests.pictures import FORMATS, WITH_EXIF, encoded, flag, some_exif


@pytest.fixture
def decoder() -> PictureDecoder:
    return PictureDecoder(PictureLimits(max_pixels=1_000_000, max_frames=20), encoder_side=64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize(
    "block", [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40]
)
def test_a_picture_with_damaged_exif_is_decoded(
    decoder: PictureDecoder, kind: str, block: bytes
) -> None:
    whole = encoded(flag(), kind, exif=some_exif())
    start = whole.index(b"MM\0*")
    data = whole[:start] + block[6:] + whole[start + len(block) - 6 :]
    if kind == "PNG":
        chunk_start = start - 8
        (length,) = struct.unpack_from(">I", data, chunk_start)
        crc = zlib.crc32(data[start - 4 : start + length])
        data = data[: start + length] + struct.pack(">I", crc) + data[start + length + 4 :]
    picture = decoder.decode(data)
    assert (picture.width, picture.height) == (120, 80)


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\x0d"
        + header
        + struct.pack(">I", zlib.crc32(header))
        + encoded(flag(), "PNG")[33:]
    )


def test_too_many_pixels_are_refused_before_decoding(decoder: PictureDecoder) -> None:
    with pytest.raises(TooManyPixels, match="5,000 x 5,000 pixels; reduce it to at most 1,000,000"):
        decoder.decode(png_header(5_000, 5_000))
    with pytest.raises(TooManyPixels, match="far more than 1,000,000 pixels; reduce it"):
        decoder.decode(png_header(50_000, 50_000))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_too_many_frames_are_refused(decoder: PictureDecoder, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (n * 10, 99, 255 - n * 10)) for n in range(25)]
    data = encoded(flag((8, 8)), kind, save_all=True, append_images=frames)
    with pytest.raises(TooManyPixels, match="26 frames; send one with at most 20"):
        decoder.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"8BPS\0\1" + bytes(100),
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
        b"\0\0\0\0ftyp",
        b"P6 2 2 255 " + bytes(12),
        b"PK\3\4",
    ],
)
def test_other_formats_are_refused_with_the_names_of_the_supported_ones(
    decoder: PictureDecoder, data: bytes
) -> None:
    with pytest.raises(UnsupportedFormat, match="send one of JPEG, PNG"):
        decoder.decode(data)


def test_an_empty_file_is_refused(decoder: PictureDecoder) -> None:
    with pytest.raises(UnsupportedFormat, match="This file is empty"):
        decoder.decode(b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_file_is_refused(decoder: PictureDecoder, kind: str) -> None:
    whole = encoded(flag((300, 200)), kind)
    for length in (16, 30, len(whole) // 2):
        with pytest.raises((InvalidContent, UnsupportedFormat)):
            decoder.decode(whole[:length])


def test_a_picture_that_exhausts_memory_is_refused(
    decoder: PictureDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(_image: ImageFile.ImageFile) -> None:
        raise MemoryError

    data = encoded(flag(), "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", exhausted)
    with pytest.raises(InvalidContent, match="more memory than allowed"):
        decoder.decode_pixels(data)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.sampled_from(sorted(FORMATS)),
    st.lists(st.tuples(st.integers(0, 3_000), st.binary(max_size=12)), min_size=1, max_size=4),
    st.integers(0, 3_000),
)
def test_randomly_damaged_files_are_decoded_or_refused(
    decoder: PictureDecoder, kind: str, damages: list[tuple[int, bytes]], cut: int
) -> None:
    exif = {"exif": some_exif()} if kind in WITH_EXIF else {}
    data = bytearray(encoded(flag((40, 30)), kind, **exif))
    for position, noise in damages:
        start = position % len(data)
        data[start : start + len(noise)] = noise
    if cut % 3 == 0:
        del data[cut % len(data) :]
    with suppress(Refusal):
        pixels = decoder.decode(bytes(data)).pixels
        assert len(pixels.rgb) == 3 * pixels.width * pixels.height
