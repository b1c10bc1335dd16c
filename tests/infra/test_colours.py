"""The conversion of every colour mode to eight-bit sRGB."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image, ImageCms

from infra.pillow import renditions
from infra.pillow.decode import PictureDecoder
from infra.pillow.picture_files import PictureLimits
from tests.pictures import BLUE, RED, WHITE, as_image, difference, encoded, flag, opened


@pytest.fixture
def decoder() -> PictureDecoder:
    return PictureDecoder(PictureLimits(max_pixels=1_000_000, max_frames=20), encoder_side=64)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "HSV"])
def test_every_mode_is_converted(decoder: PictureDecoder, mode: str) -> None:
    kind = {"PA": "TIFF", "HSV": "TIFF"}.get(mode)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(flag(), srgb, lab, outputMode="LAB")
        assert image
    elif mode == "PA":
        image = flag().quantize().convert("PA")
    else:
        image = flag().quantize() if mode == "P" else flag(mode=mode)
    if mode in {"HSV", "PA"}:
        # No file format stores these modes, but decoders return them.
        made = renditions.to_srgb(renditions.to_eight_bits(image), None).convert("RGB")
    else:
        kind = "PNG" if mode in {"1", "L", "P", "LA", "RGBA"} else "TIFF"
        made = as_image(
            decoder.decode(
                encoded(image, kind, **({"compression": "raw"} if kind == "TIFF" else {}))
            ).pixels
        )
    expected = image.convert("RGB") if mode in {"1", "L", "LA"} else flag()
    assert difference(made, expected) < 8


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_greyscale_of_high_bit_depth_keeps_its_shades(decoder: PictureDecoder, mode: str) -> None:
    ramp = Image.linear_gradient("L")
    if mode == "I;16":
        deep = Image.frombytes("I;16", ramp.size, b"".join(bytes((v, v)) for v in ramp.tobytes()))
    else:
        deep = ramp.convert(mode).point(lambda value: value * 100 + 7)
    picture = decoder.decode(encoded(deep, "TIFF", compression="raw"))
    assert difference(as_image(picture.pixels), ramp.resize((picture.pixels.width,) * 2)) < 2


def test_a_picture_of_floats_without_contrast_is_decoded(decoder: PictureDecoder) -> None:
    for value in (5.0, float("nan"), float("inf")):
        data = encoded(Image.new("F", (8, 8), value), "TIFF", compression="raw")
        assert decoder.decode(data).width == 8


def test_transparency_is_white_for_the_encoder_and_kept_in_renditions(
    decoder: PictureDecoder,
) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((*BLUE, 255), (0, 0, 20, 40))
    for data in (encoded(image, "PNG"), encoded(image, "WEBP", lossless=True)):
        picture = decoder.decode(data)
        assert as_image(picture.pixels).getpixel((35, 20)) == WHITE
        assert as_image(picture.pixels).getpixel((5, 20)) == BLUE
        thumbnail = opened(picture.thumbnail)
        assert thumbnail.mode == "RGBA"
        assert thumbnail.getchannel("A").getpixel((35, 20)) == 0


def test_a_transparent_colour_key_is_white_for_the_encoder(decoder: PictureDecoder) -> None:
    for image in (flag((40, 40)), flag((40, 40), "P"), flag((40, 40), "L")):
        transparent = image.getpixel((35, 35))
        picture = decoder.decode(encoded(image, "PNG", transparency=transparent))
        assert as_image(picture.pixels).getpixel((35, 35)) == WHITE


def test_colours_are_converted_from_their_icc_profile(decoder: PictureDecoder) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = srgb.replace(b"\0s\0R\0G\0B", b"\0o\0d\0d\0.")
    swapped = renamed.replace(b"rXYZ", b"-XYZ").replace(b"bXYZ", b"rXYZ").replace(b"-XYZ", b"bXYZ")
    for kind, mode in [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "RGB")]:
        image = Image.new(mode, (20, 20), RED)
        for profile, expected in [(srgb, RED), (renamed, RED), (swapped, RED[::-1])]:
            data = encoded(image, kind, icc_profile=profile)
            made = as_image(decoder.decode(data).pixels)
            assert difference(made, Image.new("RGB", (20, 20), expected)) < 4


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200])
def test_a_damaged_icc_profile_is_ignored(decoder: PictureDecoder, profile: bytes) -> None:
    data = encoded(Image.new("RGB", (20, 20), BLUE), "PNG", icc_profile=profile)
    assert as_image(decoder.decode(data).pixels).getpixel((5, 5)) == BLUE


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(image: Image.Image, *chunks: bytes) -> bytes:
    data = encoded(image, "PNG")
    end_of_header = 8 + 12 + 13
    return data[:end_of_header] + b"".join(chunks) + data[end_of_header:]


def colour_of(decoder: PictureDecoder, data: bytes) -> Image.Image:
    return as_image(decoder.decode(data).pixels)


def patch(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (20, 20), colour)


LINEAR_GAMMA = chunk(b"gAMA", struct.pack(">I", 100_000))


def test_a_profile_is_judged_by_its_content_and_not_by_its_name(decoder: PictureDecoder) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Its curves are replaced by one of gamma 1.0, and its name still says sRGB.
    offset = srgb.index(b"rTRC")
    start, size = struct.unpack_from(">II", srgb, offset + 4)
    curve = (b"curv" + bytes(8)).ljust(size, b"\0")
    linear = srgb[:start] + curve + srgb[start + size :]
    data = encoded(patch((55, 55, 55)), "PNG", icc_profile=linear)
    assert difference(colour_of(decoder, data), patch((128, 128, 128))) < 3


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_png_of_linear_light_is_converted_by_its_gamma(
    decoder: PictureDecoder, mode: str
) -> None:
    data = png_with(patch((55, 55, 55)).convert(mode), LINEAR_GAMMA)
    assert difference(colour_of(decoder, data), patch((128, 128, 128))) < 3


def test_the_gamma_of_srgb_changes_nothing(decoder: PictureDecoder) -> None:
    data = png_with(patch((90, 150, 30)), chunk(b"gAMA", struct.pack(">I", 45_455)))
    assert difference(colour_of(decoder, data), patch((90, 150, 30))) == 0


def test_an_srgb_chunk_is_stronger_than_gamma(decoder: PictureDecoder) -> None:
    data = png_with(patch((55, 55, 55)), chunk(b"sRGB", b"\0"), LINEAR_GAMMA)
    assert difference(colour_of(decoder, data), patch((55, 55, 55))) == 0


def test_chromaticities_of_a_png_are_those_of_its_colours(decoder: PictureDecoder) -> None:
    swapped = (31_270, 32_900, 15_000, 6_000, 30_000, 60_000, 64_000, 33_000)
    chunks = [
        chunk(b"gAMA", struct.pack(">I", 45_455)),
        chunk(b"cHRM", struct.pack(">8I", *swapped)),
    ]
    data = png_with(patch((200, 10, 10)), *chunks)
    assert difference(colour_of(decoder, data), patch((10, 10, 200))) < 6


@pytest.mark.parametrize(
    ("primaries", "transfer", "stored", "expected"),
    [
        (1, 8, (55, 55, 55), (128, 128, 128)),
        (12, 13, (234, 51, 35), (255, 0, 0)),  # the red of sRGB in Display P3
        (1, 13, (90, 150, 30), (90, 150, 30)),
        (2, 2, (90, 150, 30), (90, 150, 30)),
    ],
)
def test_code_points_are_those_of_h_273(
    decoder: PictureDecoder,
    primaries: int,
    transfer: int,
    stored: tuple[int, int, int],
    expected: tuple[int, int, int],
) -> None:
    data = png_with(patch(stored), chunk(b"cICP", bytes((primaries, transfer, 0, 1))))
    assert difference(colour_of(decoder, data), patch(expected)) < 5
    avif = encoded(patch(stored), "AVIF")
    start = avif.index(b"colrnclx") + 8
    avif = avif[:start] + struct.pack(">HH", primaries, transfer) + avif[start + 4 :]
    assert difference(colour_of(decoder, avif), patch(expected)) < 8


@pytest.mark.parametrize("transfer", [16, 18])
def test_pictures_of_high_dynamic_range_keep_their_order_of_brightness(
    decoder: PictureDecoder, transfer: int
) -> None:
    shades = [
        colour_of(
            decoder,
            png_with(patch((level,) * 3), chunk(b"cICP", bytes((9, transfer, 0, 1)))),
        )
        .convert("L")
        .tobytes()[0]
        for level in (0, 60, 120, 148, 191, 255)
    ]
    assert shades == sorted(shades)
    assert shades[0] == 0
    assert shades[-1] > 250
