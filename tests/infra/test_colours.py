"""The conversion of every colour mode to eight-bit sRGB."""

from __future__ import annotations

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
