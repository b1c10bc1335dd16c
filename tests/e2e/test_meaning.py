"""The bundled model behind the real server: what is found is what was meant."""

from __future__ import annotations

import io
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from postcards.facts import facts_of, neighbours
from postcards.grammar import PLAIN_GRAMMAR
from postcards.painting.postcard import paint
from postcards.queries import held_out_scenes, vocabulary
from postcards.scenes import KINDS, Scene, Subject
from tests.e2e.process import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = (480, 320)
ABSENT = "whale"
PER_UPLOAD = 20
SEARCH = """
query ($text: String!, $first: Int!) {
  searchImages(by: {text: $text}, first: $first) { edges { score node { filename } } }
}
"""

SIMILAR = """
query ($after: String) {
  images(first: 10, after: $after) {
    nodes { filename similarImages(first: 3) { nodes { filename } } }
    pageInfo { endCursor }
  }
}
"""


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """160 scenes that the model was never trained on, and no whale in them."""
    without = (scene for scene in held_out_scenes(250) if ABSENT not in facts_of(scene))
    return list(islice(without, 160))


@pytest.fixture(scope="module")
def library(shared_settings: dict[str, object], scenes: list[Scene]) -> Iterator[Server]:
    """A server on defaults but for the model, with the scenes' pictures."""
    with Server.in_thread(shared_settings) as server:
        for start in range(0, len(scenes), PER_UPLOAD):
            part = scenes[start : start + PER_UPLOAD]
            files = {f"{start + i}.png": file_of(scene) for i, scene in enumerate(part)}
            assert [] == server.upload(files)["userErrors"]
        yield server


def file_of(scene: Scene) -> bytes:
    file = io.BytesIO()
    paint(scene, SIZE).save(file, "PNG")
    return file.getvalue()


def search(server: Server, text: str, *, first: int = 10) -> list[tuple[str, float]]:
    edges = server.ask(SEARCH, text=text, first=first)["searchImages"]["edges"]
    return [(edge["node"]["filename"], edge["score"]) for edge in edges]


def _place(node: dict[str, Any]) -> int:
    return int(node["filename"].removesuffix(".png"))


def by_example(server: Server, example: bytes, *, first: int) -> list[dict[str, Any]]:
    edges: list[dict[str, Any]] = server.multipart(
        {
            "query": "query ($image: Upload!) { searchImages(by: {image: $image}, first: "
            f"{first}) {{ edges {{ score node {{ id filename }} }} }} }}",
            "variables": {"image": None},
        },
        "variables.image",
        {"example.png": example},
    )["searchImages"]["edges"]
    return edges


def test_words_find_what_they_mean(library: Server, scenes: list[Scene]) -> None:
    random = Random(0)
    facts = [facts_of(scene) for scene in scenes]
    shares = []
    for description in vocabulary():
        relevant = {place for place, holds in enumerate(facts) if description.claims <= holds}
        if len(relevant) < 3:
            continue
        found = search(
            library, PLAIN_GRAMMAR.caption(description, random), first=min(10, len(relevant))
        )
        shares.append(
            sum(int(name.removesuffix(".png")) in relevant for name, _ in found) / len(found)
        )
    assert len(shares) > 35
    assert sum(shares) / len(shares) >= 0.93


def test_a_red_sailboat_at_sunset_is_the_red_sailboat_at_sunset(library: Server) -> None:
    def sea(time: str, colour: str, kind: str = "sailboat") -> Scene:
        return Scene(77, "sea", time, "clear", (Subject(kind, colour, 1, "large", "centre"),))

    files = {
        "wanted.png": file_of(sea("sunset", "red")),
        "by day.png": file_of(sea("day", "red")),
        "blue.png": file_of(sea("sunset", "blue")),
        "a ship.png": file_of(sea("sunset", "red", "ship")),
    }
    uploaded = library.upload(files)["results"]
    found = search(library, "a red sailboat at sunset")
    assert "wanted.png" == found[0][0]
    scores = dict(found)
    assert all(scores["wanted.png"] > scores.get(name, -1) for name in list(files)[1:])
    _delete(library, uploaded)


def test_an_example_finds_its_like(library: Server, scenes: list[Scene]) -> None:
    examples = held_out_scenes(320)[250:274]
    near = neighbours([*examples, *scenes])[: len(examples), len(examples) :]
    shares = []
    for row, example in zip(near, examples, strict=True):
        expected = min(3, int(row.sum()))
        found = by_example(library, file_of(example), first=3)[:expected]
        shares += [bool(row[_place(edge["node"])]) for edge in found]
    assert sum(shares) / len(shares) >= 0.8


def test_images_that_are_similar_are_alike(library: Server, scenes: list[Scene]) -> None:
    near = neighbours(scenes)
    nodes, after = [], None
    for _ in range(4):
        page = library.ask(SIMILAR, after=after)["images"]
        nodes += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert 40 == len(nodes)
    shares: list[bool] = []
    for node in nodes:
        row = near[_place(node)]
        expected = int(row.sum()) - 1
        shares += [bool(row[_place(other)]) for other in node["similarImages"]["nodes"][:expected]]
    assert len(shares) > 40
    assert sum(shares) / len(shares) >= 0.75


def test_what_is_absent_scores_below_what_is_there(library: Server, scenes: list[Scene]) -> None:
    facts = set().union(*(facts_of(scene) for scene in scenes))
    present = [search(library, f"a {kind}", first=1)[0][1] for kind in KINDS if kind in facts]
    [(_, absent)] = search(library, f"a {ABSENT}", first=1)
    assert absent < sorted(present)[len(present) // 4]

    whale = Scene(5, "sea", "day", "clear", (Subject(ABSENT, "blue", 1, "large", "left"),))
    uploaded = library.upload({"whale.png": file_of(whale)})["results"]
    [(name, score)] = search(library, f"a {ABSENT}", first=1)
    assert "whale.png" == name
    assert score > absent + 0.03
    _delete(library, uploaded)


def _delete(server: Server, results: list[dict[str, Any]]) -> None:
    ids = [result["image"]["id"] for result in results]
    server.ask(
        "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }", ids=ids
    )
