"""Painted postcards: deterministic, antialiased, with each subject at its place."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageStat

from postcards.architecture import IMAGE_SIDE_PIXELS, PATCH_SIDE_PIXELS
from postcards.painting.brush import CANVAS_WIDTH
from postcards.painting.palette import PAINTS
from postcards.painting.postcard import arrange, draw, paint, random_of
from postcards.painting.subjects import SUBJECT_PAINTERS
from postcards.pictures import PATCHES_PER_SIDE, model_input, patch_labels
from postcards.scenes import (
    COLOURS,
    KINDS,
    PLACES,
    SETTINGS,
    TIMES,
    WEATHERS,
    Scene,
    Subject,
    compose,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = (240, 160)
EMPTY_SCENE = Scene(seed=3, setting="meadow", time="day", weather="clear", subjects=())


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures, in levels of 255."""
    return float(np.mean(ImageStat.Stat(ImageChops.difference(one, other)).mean))


def scene_with(kind: str, colour: str | None, *, place: str = "centre", count: int = 1) -> Scene:
    setting = next(name for name, setting in SETTINGS.items() if kind in setting.kinds)
    weather = "snow" if kind == "snowman" else "clear"
    time = "night" if kind == "moon" else "day"
    size = "large" if count == 1 else None
    return Scene(5, setting, time, weather, (Subject(kind, colour, count, size, place),))


def test_the_same_seed_gives_the_same_picture() -> None:
    scene, picture = draw(7, SIZE)
    again, same = draw(7, SIZE)
    assert compose(7) == scene == again
    assert picture.tobytes() == same.tobytes()
    assert ("RGB", SIZE) == (picture.mode, picture.size)
    assert picture.tobytes() != draw(8, SIZE)[1].tobytes()


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_a_seed_gives_the_same_picture_at_every_size(seed: int) -> None:
    _, small = draw(seed, SIZE)
    _, large = draw(seed, (960, 640))
    # Both are antialiased, so the large picture at the small size nearly equals the small one.
    assert difference(small, large.resize(SIZE, Image.Resampling.BOX)) < 4


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_time_and_weather_looks_different(setting: str) -> None:
    pictures = {
        (time, weather): paint(
            replace(EMPTY_SCENE, setting=setting, time=time, weather=weather), SIZE
        )
        for time in TIMES
        for weather in WEATHERS
        if weather in SETTINGS[setting].weathers
    }
    names = list(pictures)
    for place, name in enumerate(names):
        for other in names[:place]:
            assert difference(pictures[name], pictures[other]) > 3, (name, other)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_painted_at_its_place(kind: str) -> None:
    assert list(KINDS) == list(SUBJECT_PAINTERS)
    colour = (KINDS[kind].colours or (None,))[0]
    left, right = (scene_with(kind, colour, place=place) for place in ("left", "right"))
    moved = differ(pixels(left), pixels(right))
    for scene in (left, right):
        [figure] = arrange(scene, random_of(scene))
        box = moved[
            round((figure.y - figure.height) * SIZE[1]) : round(figure.y * SIZE[1]),
            max(0, round((figure.x - figure.width / 2) / CANVAS_WIDTH * SIZE[0])) : round(
                (figure.x + figure.width / 2) / CANVAS_WIDTH * SIZE[0]
            ),
        ]
        assert box.mean() > 0.25


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.colours])
def test_a_subject_mostly_has_its_colour(kind: str) -> None:
    pictures = {colour: pixels(scene_with(kind, colour)) for colour in KINDS[kind].colours}
    scene = scene_with(kind, None)
    [figure] = arrange(scene, random_of(scene))
    box = figure.width * figure.height / CANVAS_WIDTH * SIZE[0] * SIZE[1]
    for one, other in permutations(pictures, 2):
        own = differ(pictures[one], pictures[other])
        assert own.sum() > box / 6
        near, far = (
            np.abs(pictures[one][own] - np.array(PAINTS[paint])).sum(axis=1)
            for paint in (one, other)
        )
        assert (near < far).mean() > 0.5


def pixels(scene: Scene) -> NDArray[np.int16]:
    return np.asarray(paint(scene, SIZE), np.int16)


def differ(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which pixels (rows, columns) differ visibly."""
    visibly: NDArray[np.bool_] = np.abs(one - other).sum(axis=2) > 40
    return visibly


@pytest.mark.parametrize("place", PLACES)
def test_patch_labels_match_the_place_of_a_subject(place: str) -> None:
    labels = patch_labels(scene_with("balloon", "red", place=place))
    assert (
        (PATCHES_PER_SIDE, PATCHES_PER_SIDE, 3)
        == labels.shape
        == (IMAGE_SIDE_PIXELS // PATCH_SIDE_PIXELS, IMAGE_SIDE_PIXELS // PATCH_SIDE_PIXELS, 3)
    )
    rows, columns = np.nonzero(labels[..., 0])
    assert rows.mean() < PATCHES_PER_SIDE / 2
    assert PLACES.index(place) == int(columns.mean() / (PATCHES_PER_SIDE / 3))
    shown = labels[rows, columns]
    assert {(list(KINDS).index("balloon") + 1, COLOURS.index("red") + 1, 1)} == set(
        map(tuple, shown.tolist())
    )


def test_the_input_of_the_model_is_the_whole_postcard() -> None:
    scene = compose(2)
    resized = Image.fromarray(model_input(scene))
    assert (IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS) == resized.size
    whole = paint(scene, (960, 640)).resize(
        (IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS), Image.Resampling.BICUBIC
    )
    assert difference(resized, whole) < 4
