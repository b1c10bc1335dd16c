"""A library of postcards of which it is known what they show, and twice the same."""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING

from PIL import Image

from postcards.painting.postcard import paint
from postcards.queries import held_out_scenes
from postcards.scenes import SETTINGS, Scene, Subject

if TYPE_CHECKING:
    from tests.e2e.process import Server

SIZE = (480, 320)
EACH = 3
HARBOURS = {
    "boats": ("sailboat", "ship", "sailboat", "ship"),
    "quay": ("car", "train", "car", "lighthouse"),
}
CAMERA_TAG, EXIF_IFD, TAKEN_AT_TAG = 0x0110, 0x8769, 0x9003


def fill(server: Server) -> None:
    """Take 50 pictures in. Each has two tags: postcard, and its setting.

    "sea 0.jpg" to "sea 2.jpg", and so on for each setting, by one of two cameras and in a month of
    its own; "sunset 0.png" to "sunset 2.png", red sailboats at sunset; harbours, "boats 0.png" to
    "boats 3.png" with boats and "quay 0.png" to "quay 3.png" without; one castle in three files.
    """
    scenes = held_out_scenes(300)
    for month, setting in enumerate(SETTINGS, 1):
        there = islice((scene for scene in scenes if scene.setting == setting), EACH)
        photos = {f"{setting} {n}.jpg": _photo(scene, month) for n, scene in enumerate(there)}
        _take_in(server, photos, setting)
    _take_in(server, {f"sunset {n}.png": sunset(70 + n) for n in range(3)}, "sea")
    for name, kinds in HARBOURS.items():
        harbours = [
            Scene(80 + n, "harbour", "day", "clear", (_alone(kind, "red"),))
            for n, kind in enumerate(kinds)
        ]
        files = {f"{name} {n}.png": png(scene) for n, scene in enumerate(harbours)}
        _take_in(server, files, "harbour")
    _take_in(server, _castles(), "meadow")


def sunset(seed: int) -> bytes:
    """Paint another red sailboat at sunset."""
    return png(Scene(seed, "sea", "sunset", "clear", (_alone("sailboat", "red"),)))


def png(scene: Scene) -> bytes:
    """Paint a scene."""
    return _bytes(paint(scene, SIZE), "PNG")


def _take_in(server: Server, files: dict[str, bytes], tag: str) -> None:
    assert [] == server.upload(files, tags=["postcard", tag])["userErrors"]


def _castles() -> dict[str, bytes]:
    castle = paint(Scene(5, "meadow", "day", "clear", (_alone("castle", "pink"),)), SIZE)
    small = castle.resize((SIZE[0] // 2, SIZE[1] // 2))
    return {
        "castle.png": _bytes(castle, "PNG"),
        "castle again.webp": _bytes(castle, "WEBP", lossless=True),
        "castle small.jpg": _bytes(small, "JPEG"),
    }


def _alone(kind: str, colour: str) -> Subject:
    return Subject(kind, colour, 1, "large", "centre")


def _photo(scene: Scene, month: int) -> bytes:
    exif = Image.Exif()
    exif[CAMERA_TAG] = f"Brush {month % 2}"
    exif.get_ifd(EXIF_IFD)[TAKEN_AT_TAG] = f"2024:{month:02}:15 12:00:00"
    return _bytes(paint(scene, SIZE), "JPEG", quality=90, exif=exif)


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
