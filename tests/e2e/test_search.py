"""What the bundled model answers behind the real server, what it leaves out, and why."""

# ruff: noqa: ANN401 - variables are any JSON

from __future__ import annotations

import io
from itertools import chain, islice
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from postcards.facts import facts_of
from postcards.grammar import PLAIN_GRAMMAR
from postcards.painting.postcard import paint
from postcards.queries import held_out_scenes, vocabulary
from tests.e2e.process import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postcards.descriptions import Description
    from postcards.scenes import Scene

PER_UPLOAD = 20
HARBOURS, OTHERS = 20, 40
ABSENT = frozenset(
    (
        *("whale", "windmill", "castle", "tent", "palm", "horse", "cow", "snowman", "train"),
        *("parasol", "kite", "cactus", "sheep"),
        *("desert", "canyon", "forest", "city", "village", "snowfield", "meadow", "mountains"),
    )
)
"""Kinds and settings of which the model knows and the library has nothing."""

SEARCH = """
query ($by: ImageSearchBy!, $minRelevance: Float, $first: Int! = 10, $exact: Boolean! = false) {
  searchImages(by: $by, minRelevance: $minRelevance, first: $first, exact: $exact) {
    searchId relevantCount
    edges { score relevance band node { id filename } }
    facets { tags(first: 100) { value count } contentTypes { count } }
    explain { model exact recall plan stages { name milliseconds } }
  }
}
"""


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Harbours without boats, as many with some, and other places of which more have some."""

    def some(number: int, fits: Callable[[set[str]], bool]) -> Iterator[Scene]:
        held_out = ((scene, facts_of(scene)) for scene in held_out_scenes(4_000))
        found = (scene for scene, facts in held_out if not facts & ABSENT and fits(facts))
        return islice(found, number)

    return list(
        chain(
            some(HARBOURS, lambda facts: "harbour" in facts and "boat" not in facts),
            some(HARBOURS, lambda facts: {"harbour", "boat"} <= facts),
            some(OTHERS, lambda facts: "harbour" not in facts),
        )
    )


@pytest.fixture(scope="module")
def library(shared_settings: dict[str, object], scenes: list[Scene]) -> Iterator[Server]:
    """A server with the pictures of the scenes, each with its setting for a tag."""
    with Server.in_thread(shared_settings) as server:
        for setting in sorted({scene.setting for scene in scenes}):
            there = [place for place, scene in enumerate(scenes) if scene.setting == setting]
            for start in range(0, len(there), PER_UPLOAD):
                part = there[start : start + PER_UPLOAD]
                files = {f"{place}.png": file_of(scenes[place]) for place in part}
                assert [] == server.upload(files, tags=[setting])["userErrors"]
        yield server


def file_of(scene: Scene, kind: str = "PNG", **options: int) -> bytes:
    file = io.BytesIO()
    paint(scene, (480, 320)).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def search(server: Server, by: object, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = server.ask(SEARCH, by=by, **variables)["searchImages"]
    return found


def blend(like: str, *unlike: str) -> dict[str, object]:
    return {
        "blend": {
            "like": [{"term": {"text": like}}],
            "unlike": [{"term": {"text": each}} for each in unlike],
        }
    }


def places(found: dict[str, Any]) -> list[int]:
    return [int(edge["node"]["filename"].partition(".")[0]) for edge in found["edges"]]


def without_boats(found: dict[str, Any]) -> int:
    return sum(place < HARBOURS for place in places(found))


@pytest.mark.parametrize("unlike", [("boats",), ("a boat",), ("sailboats", "ships")])
def test_a_harbour_unlike_boats_is_a_harbour_without_boats(
    library: Server, unlike: tuple[str, ...]
) -> None:
    plain = without_boats(search(library, {"text": "a harbour"}))
    left = without_boats(search(library, blend("a harbour", *unlike)))
    assert left >= 8
    assert plain < left


@pytest.mark.parametrize("unlike", ["a giraffe", "a violin", "a telephone"])
def test_leaving_out_what_is_not_there_leaves_the_answer_as_it_was(
    library: Server, unlike: str
) -> None:
    plain = search(library, {"text": "a harbour"})
    without = search(library, blend("a harbour", unlike))
    assert len(set(places(plain)) & set(places(without))) >= 9


def test_a_picture_and_a_text_together_find_what_has_something_of_both(
    library: Server, scenes: list[Scene]
) -> None:
    facts = [facts_of(scene) for scene in scenes]
    nights = (scene for scene in held_out_scenes(200) if scene.time == "night")
    example = file_of(next(scene for scene in nights if scene.setting == "sea"))
    text, picture = {"text": "a harbour"}, {"image": None}
    both = {"blend": {"like": [{"term": picture}, {"term": text}]}}

    def by_example(by: object, path: str) -> dict[str, Any]:
        operations = {"query": SEARCH, "variables": {"by": by}}
        found: dict[str, Any] = library.multipart(
            operations, f"variables.by.{path}", {"example.png": example}
        )["searchImages"]
        return found

    def count(found: dict[str, Any], fact: str) -> int:
        return sum(fact in facts[place] for place in places(found))

    blended = by_example(both, "blend.like.0.term.image")
    assert count(search(library, text), "night") < count(blended, "night")
    assert count(by_example(picture, "image"), "harbour") < count(blended, "harbour")


def caption(description: Description) -> str:
    return PLAIN_GRAMMAR.caption(description, Random(0))


def test_what_the_library_has_not_has_hardly_ever_a_strong_hit(
    library: Server, scenes: list[Scene]
) -> None:
    shown = set().union(*(facts_of(scene) for scene in scenes))
    absent = [each for each in vocabulary() if each.claims & ABSENT]
    assert len(absent) == len(ABSENT)
    assert not any(each.claims <= shown for each in absent)
    query = """query ($text: String!) {
        searchImages(by: {text: $text}, minRelevance: 0.9, first: 0) { relevantCount }
    }"""
    found = [library.ask(query, text=caption(each))["searchImages"] for each in absent]
    strong = sum(each["relevantCount"] > 0 for each in found)
    assert strong <= 0.05 * len(absent)


def test_relevance_parts_what_answers_from_what_does_not(
    library: Server, scenes: list[Scene]
) -> None:
    facts = [facts_of(scene) for scene in scenes]
    kept, noise = [], []
    for description in vocabulary():
        relevant = {place for place, each in enumerate(facts) if description.claims <= each}
        if len(relevant) < 3:
            continue
        found = search(library, {"text": caption(description)}, first=100)
        assert len(scenes) == len(found["edges"])
        likely = {
            place
            for place, edge in zip(places(found), found["edges"], strict=True)
            if edge["band"] != "WEAK"
        }
        assert found["relevantCount"] == len(likely)
        kept.append(len(likely & relevant) / len(relevant))
        noise.append(len(likely - relevant) / (len(scenes) - len(relevant)))
    assert len(kept) > 15
    assert sum(kept) / len(kept) >= 0.7
    assert sum(noise) / len(noise) <= 0.02


def test_a_bound_of_relevance_cuts_the_answer_its_count_and_its_facets(library: Server) -> None:
    by = {"text": "a harbour"}
    plain = search(library, by, first=100)
    relevances = [edge["relevance"] for edge in plain["edges"]]
    for bound, band in ((0.9, {"STRONG"}), (0.5, {"STRONG", "LIKELY"})):
        expected = sum(relevance >= bound for relevance in relevances)
        found = search(library, by, minRelevance=bound, first=100)
        assert expected == len(found["edges"]) == found["relevantCount"]
        assert band >= {edge["band"] for edge in found["edges"]}
        assert expected == found["facets"]["contentTypes"][0]["count"]
        tags = {each["value"]: each["count"] for each in found["facets"]["tags"]}
        assert expected == sum(tags.values())
        assert tags["harbour"] >= 0.9 * expected
        again = search(library, {"searchId": found["searchId"]}, minRelevance=bound, first=100)
        assert found["edges"] == again["edges"]
    assert plain["facets"]["tags"] == found["facets"]["tags"]
    assert plain["relevantCount"] == found["relevantCount"]


def test_an_answer_is_explained(library: Server) -> None:
    for exact in (False, True):
        found = search(library, {"text": "a house by the sea"}, exact=exact)
        explained = found["explain"]
        # So small a library is compared as a whole, whatever is asked for.
        assert explained["exact"]
        assert explained["recall"] is None
        assert "Limit" in explained["plan"]
        assert "hnsw" not in explained["plan"]
        assert ["encode", "search", "fetch"] == [stage["name"] for stage in explained["stages"]]
        assert all(0 <= stage["milliseconds"] < 10_000 for stage in explained["stages"])
        [model] = library.ask("{ models { name } }")["models"]
        assert model["name"] == explained["model"]


def test_a_copy_in_another_format_collapses_into_the_best(
    library: Server, scenes: list[Scene]
) -> None:
    original = search(library, {"text": "a harbour"}, first=1)["edges"][0]["node"]
    copy = file_of(scenes[int(original["filename"].partition(".")[0])], "JPEG", quality=80)
    [result] = library.upload({"copy.jpg": copy})["results"]
    query = """query ($id: ID!, $collapse: Collapse!) {
        searchImages(by: {imageId: $id}, collapse: $collapse, first: 3) {
            edges { score collapsedCount node { filename } }
        }
    }"""
    for collapse, names, counts in (
        ("NONE", [original["filename"], "copy.jpg"], [1, 1]),
        ("EXACT_COPIES", [original["filename"], "copy.jpg"], [1, 1]),
        ("NEAR_DUPLICATES", [original["filename"]], [2]),
    ):
        answer = library.ask(query, id=original["id"], collapse=collapse)
        edges = answer["searchImages"]["edges"]
        assert 3 == len(edges)
        assert names == [edge["node"]["filename"] for edge in edges][: len(names)]
        assert "copy.jpg" in names or "copy.jpg" not in str(edges)
        assert counts == [edge["collapsedCount"] for edge in edges][: len(counts)]
    library.ask(
        "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }",
        ids=[result["image"]["id"]],
    )
