"""Scenes: one for each seed, over ten million in all, with combinations held out of training."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, islice, product
from math import perm, prod
from typing import TYPE_CHECKING

from pictograph.cli.demo import seeds
from postcards.pictures import training_scenes
from postcards.queries import held_out_scenes
from postcards.scenes import (
    KINDS,
    PLACES,
    SETTINGS,
    SUBJECT_SIZES,
    TIMES,
    WEATHERS,
    compose,
    kinds_of,
)

if TYPE_CHECKING:
    from postcards.scenes import Scene

SCENES = [compose(seed) for seed in range(3_000)]


def test_the_same_seed_gives_the_same_scene() -> None:
    assert [compose(seed) for seed in range(100)] == SCENES[:100]


def test_there_are_over_ten_million_scenes() -> None:
    total = 0
    for setting, time in product(SETTINGS, TIMES):
        for weather in SETTINGS[setting].weathers:
            variants = [_variants(name) for name in kinds_of(setting, time, weather)]
            for number in (1, 2, 3):
                places = perm(len(PLACES), number)
                total += places * sum(prod(chosen) for chosen in combinations(variants, number))
    assert total > 10_000_000


def _variants(name: str) -> int:
    kind = KINDS[name]
    alone = 1 if name == "rainbow" else len(SUBJECT_SIZES)
    return max(1, len(kind.colours)) * (alone + kind.max_count - 1)


def test_few_scenes_repeat() -> None:
    shown = {replace(scene, seed=0) for scene in SCENES}
    assert len(shown) > 0.98 * len(SCENES)


def test_every_scene_is_possible() -> None:
    for scene in SCENES:
        setting = SETTINGS[scene.setting]
        assert scene.weather in setting.weathers
        assert 1 <= len(scene.subjects) <= 3
        assert len({subject.place for subject in scene.subjects}) == len(scene.subjects)
        assert len({subject.kind for subject in scene.subjects}) == len(scene.subjects)
        for subject in scene.subjects:
            kind = KINDS[subject.kind]
            assert subject.kind in setting.kinds
            assert subject.kind not in setting.shows
            assert 1 <= subject.count <= kind.max_count
            assert (subject.colour in kind.colours) if kind.colours else subject.colour is None
            assert subject.size is None or subject.count == 1


def test_every_setting_time_weather_and_kind_occurs() -> None:
    assert set(SETTINGS) == {scene.setting for scene in SCENES}
    assert set(TIMES) == {scene.time for scene in SCENES}
    assert set(WEATHERS) == {scene.weather for scene in SCENES}
    assert set(KINDS) == {subject.kind for scene in SCENES for subject in scene.subjects}


def test_evaluation_and_demo_scenes_have_combinations_that_training_lacks() -> None:
    trained = training_scenes(20_000)
    evaluated = held_out_scenes(300)
    demonstrated = [compose(seed) for seed in islice(seeds(), 300)]

    assert not any(scene.is_held_out for scene in trained)
    assert all(scene.is_held_out for scene in [*evaluated, *demonstrated])
    known = set().union(*map(_combinations, trained))
    assert len(known) > 400
    assert all(_combinations(scene) - known for scene in [*evaluated, *demonstrated])
    assert 0.2 < sum(scene.is_held_out for scene in SCENES) / len(SCENES) < 0.4


def _combinations(scene: Scene) -> frozenset[tuple[str | None, ...]]:
    return frozenset(
        {
            (scene.setting, scene.time, scene.weather),
            *((scene.setting, each.kind, each.colour) for each in scene.subjects),
        }
    )
