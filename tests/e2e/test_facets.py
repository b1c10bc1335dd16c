"""Facets and zero-shot labels over postcards whose settings are known, on the real server."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from postcards.painting.postcard import paint
from postcards.queries import held_out_scenes
from postcards.scenes import SETTINGS
from tests.e2e.process import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postcards.scenes import Scene

EACH = 4
COUNT = EACH * len(SETTINGS)
LABELS = list(SETTINGS)
MODEL_TAG, EXIF_IFD, TAKEN_AT_TAG = 0x0110, 0x8769, 0x9003


@pytest.fixture(scope="module")
def library(shared_settings: dict[str, object]) -> Iterator[Server]:
    """Four scenes of each setting, which is their tag; in January the sea, in December canyons."""
    scenes = held_out_scenes(300)
    with Server.in_thread(shared_settings) as server:
        for month, setting in enumerate(SETTINGS, 1):
            there = [scene for scene in scenes if scene.setting == setting][:EACH]
            files = {
                f"{setting}-{place}": file_of(scene, month=month, kind=("PNG", "JPEG")[place % 2])
                for place, scene in enumerate(there)
            }
            assert [] == server.upload(files, tags=[setting])["userErrors"]
        yield server


def file_of(scene: Scene, *, month: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[MODEL_TAG] = f"Brush {month % 2}"
    exif.get_ifd(EXIF_IFD)[TAKEN_AT_TAG] = f"2024:{month:02}:15 12:00:00"
    file = io.BytesIO()
    paint(scene, (480, 320)).save(file, kind, exif=exif)
    return file.getvalue()


FACETS = """
query ($filter: ImageFilter, $candidates: [String!]!) {
  images(first: 0, filter: $filter) { facets {
    cameras { value count }
    tags { value count }
    months(first: 3) { value count }
    contentTypes { value count }
    labels(candidates: $candidates) { value count }
  } }
}
"""


def facets_of(server: Server, **criteria: object) -> dict[str, list[tuple[str, int]]]:
    answer = server.ask(FACETS, filter=criteria, candidates=LABELS)["images"]["facets"]
    return {
        name: [(each["value"], each["count"]) for each in values] for name, values in answer.items()
    }


def test_facts_are_counted(library: Server) -> None:
    facets = facets_of(library)
    assert [("Brush 0", COUNT // 2), ("Brush 1", COUNT // 2)] == facets["cameras"]
    assert [(setting, EACH) for setting in sorted(SETTINGS)] == facets["tags"]
    assert [("image/jpeg", COUNT // 2), ("image/png", COUNT // 2)] == facets["contentTypes"]
    assert [(f"2024-{month}", EACH) for month in (12, 11, 10)] == facets["months"]


def test_a_filter_narrows_what_is_counted(library: Server) -> None:
    facets = facets_of(library, tagsAny=["lake"])
    assert [("lake", EACH)] == facets["tags"]
    assert ("lake", EACH) == facets["labels"][0]
    assert {0} == {count for _, count in facets["labels"][1:]}


def test_each_setting_is_reported_by_its_name(library: Server) -> None:
    query = """query ($candidates: [String!]!) {
        images(first: 100) { nodes { tags labels(candidates: $candidates) { label share } } }
    }"""
    nodes = library.ask(query, candidates=LABELS)["images"]["nodes"]
    assert COUNT == len(nodes)
    for node in nodes:
        assert pytest.approx(1) == sum(score["share"] for score in node["labels"])
    best = [node["labels"][0] for node in nodes]
    right = [[score["label"]] == node["tags"] for score, node in zip(best, nodes, strict=True)]
    assert sum(right) >= 0.95 * COUNT
    counted = facets_of(library)["labels"]
    assert Counter(score["label"] for score in best) == dict(counted)
    assert sorted(counted, key=lambda label: -label[1]) == counted


def test_the_model_is_listed_with_what_it_has_embedded(library: Server) -> None:
    [model] = library.ask("{ models { name dimensions state embeddedCount } }")["models"]
    assert ("ACTIVE", COUNT) == (model["state"], model["embeddedCount"])
