"""The metadata of a postcard matches its scene, and its EXIF is read like that of a camera."""

from __future__ import annotations

import io
import re
from datetime import timedelta, timezone
from itertools import count, islice

import pytest
from PIL import Image

from infra.pillow.exif import read_exif
from infra.pillow.metadata import Metadata
from infra.pillow.tiff_tags import read_tags
from postcards.metadata import CAMERA_MODELS, WINTER_MONTHS, PostcardMetadata
from postcards.renderer_process import render_jpeg
from postcards.scenes import compose

SEED = 4


def test_the_exif_of_a_postcard_is_read_like_that_of_a_camera() -> None:
    metadata = PostcardMetadata(compose(SEED))
    with Image.open(io.BytesIO(render_jpeg(SEED, (240, 160)))) as picture:
        exif = read_exif(Metadata(read_tags(picture.info["exif"])))
    assert exif
    assert metadata.taken_at.replace(tzinfo=timezone(timedelta(hours=1))) == exif.taken_at
    assert exif.camera_model in CAMERA_MODELS
    assert exif.location
    assert pytest.approx(metadata.coordinates, abs=1e-5) == (
        exif.location.latitude,
        exif.location.longitude,
    )


def test_tags_and_caption_describe_the_scene() -> None:
    metadata = PostcardMetadata(compose(SEED))
    assert {"lake", "sunset", "sailboat", "windmill", "aeroplane"} == set(metadata.tags)
    assert metadata.caption == (
        "A large blue aeroplane, a large red windmill and a large red sailboat "
        "by a lake at sunset, under a clear sky."
    )


@pytest.mark.parametrize("seed", range(200))
def test_every_scene_has_a_grammatical_caption(seed: int) -> None:
    caption = PostcardMetadata(compose(seed)).caption
    assert re.fullmatch(r"[A-Z][a-z ,]+\.", caption)
    assert not re.search(r"\ba [aeio]|\ban [^aeio]|mans|sheeps|cactuss", caption, re.IGNORECASE)


def test_snowy_scenes_are_dated_in_winter() -> None:
    snowy = (scene for scene in map(compose, count()) if scene.weather == "snow")
    assert set(WINTER_MONTHS) == {
        PostcardMetadata(scene).taken_at.month for scene in islice(snowy, 40)
    }


def test_a_longitude_west_of_greenwich_is_written_as_west() -> None:
    desert = next(scene for scene in map(compose, count()) if scene.setting == "desert")
    gps = PostcardMetadata(desert).exif().get_ifd(0x8825)
    assert "W" == gps[3]
    assert all(part >= 0 for part in gps[4])
