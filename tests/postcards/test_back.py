"""The back of a postcard suits its front, and is read as any camera's EXIF is."""

from __future__ import annotations

import io
import re
from datetime import timedelta, timezone
from itertools import count, islice

import pytest
from PIL import Image

from infra.pillow.exif import read_exif
from infra.pillow.tiff_tags import read_tags
from postcards.back import BRUSHES, WINTER, Back
from postcards.press import jpeg
from postcards.scenes import compose

SEED = 4


def test_a_postcard_carries_its_back_as_a_camera_would_write_it() -> None:
    back = Back(compose(SEED))
    with Image.open(io.BytesIO(jpeg(SEED, (240, 160)))) as printed:
        exif = read_exif(read_tags(printed.info["exif"]))
    assert exif
    assert back.drawn_at.replace(tzinfo=timezone(timedelta(hours=1))) == exif.taken_at
    assert exif.camera_model in BRUSHES
    assert exif.location
    assert pytest.approx(back.place, abs=1e-5) == (
        exif.location.latitude,
        exif.location.longitude,
    )


def test_a_back_says_what_the_front_shows() -> None:
    back = Back(compose(SEED))
    assert {"lake", "sunset", "sailboat", "windmill", "aeroplane"} == set(back.tags)
    assert back.caption == (
        "A large blue aeroplane, a large red windmill and a large red sailboat "
        "by a lake at sunset, under a clear sky."
    )


@pytest.mark.parametrize("seed", range(200))
def test_every_front_can_be_put_into_words(seed: int) -> None:
    caption = Back(compose(seed)).caption
    assert re.fullmatch(r"[A-Z][a-z ,]+\.", caption)
    assert not re.search(r"\ba [aeio]|\ban [^aeio]|mans|sheeps|cactuss", caption, re.IGNORECASE)


def test_snow_lies_in_winter() -> None:
    snowy = (scene for scene in map(compose, count()) if scene.weather == "snow")
    assert set(WINTER) == {Back(scene).drawn_at.month for scene in islice(snowy, 40)}


def test_places_west_of_greenwich_are_written_so() -> None:
    desert = next(scene for scene in map(compose, count()) if scene.setting == "desert")
    gps = Back(desert).exif().get_ifd(0x8825)
    assert "W" == gps[3]
    assert all(part >= 0 for part in gps[4])
