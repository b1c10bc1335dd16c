"""The plain pipeline of the benchmarks finds what Pictograph finds, so that both are comparable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from benchmarks.library import copy_to_plain
from benchmarks.plain_pipeline import PlainModel, open_pipeline
from benchmarks.systems import SEARCH
from infra.postgres.engine import open_engine
from postcards import MODEL
from postcards.renderer_process import render_jpeg
from tests.e2e.process import Server

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("a red sailboat", "a castle in the snow", "a lighthouse at night", "two houses")
POSTCARDS = 24


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {f"{seed}.jpg": render_jpeg(seed, (480, 320)) for seed in range(POSTCARDS)}


@pytest.fixture(scope="module")
def plain_model() -> PlainModel:
    return PlainModel.load(MODEL)


def test_both_rank_the_same_vectors_in_the_same_order(
    shared_settings: dict[str, object],
    postgres_module_url: str,
    files: dict[str, bytes],
    plain_model: PlainModel,
    tmp_path: Path,
) -> None:
    with Server.in_thread(shared_settings) as server:
        names = list(files)
        for half in (names[: POSTCARDS // 2], names[POSTCARDS // 2 :]):
            assert [] == server.upload({name: files[name] for name in half})["userErrors"]
        ours = {text: edges_of(server, text) for text in TEXTS}

    async def search_plainly() -> dict[str, list[dict[str, object]]]:
        async with open_engine(postgres_module_url) as engine:
            await copy_to_plain(engine)
        async with open_pipeline(plain_model, postgres_module_url, tmp_path) as pipeline:
            return {text: await pipeline.search(text) for text in TEXTS}

    for text, hits in asyncio.run(search_plainly()).items():
        plain = {str(hit["filename"]): float(str(hit["score"])) for hit in hits}
        found = {edge["node"]["filename"]: edge["score"] for edge in ours[text]}
        assert set(plain) == set(found)
        for name, score in found.items():
            assert pytest.approx(score, abs=0.01) == plain[name]
        # Pictograph encodes with less precision, so only clear differences keep their order.
        best, *_ = sorted(plain, key=lambda name: -plain[name])
        assert plain[best] - plain[ours[text][0]["node"]["filename"]] <= 0.01


def edges_of(server: Server, text: str) -> list[dict[str, dict[str, str]]]:
    edges: list[dict[str, dict[str, str]]] = server.ask(SEARCH, text=text)["searchImages"]["edges"]
    return edges


async def test_an_uploaded_picture_is_found_and_stored(
    postgres_url: str, files: dict[str, bytes], plain_model: PlainModel, tmp_path: Path
) -> None:
    async with open_pipeline(plain_model, postgres_url, tmp_path) as pipeline:
        ids = {name: await pipeline.add(name, files[name]) for name in list(files)[:3]}
        hits = await pipeline.search("a boat")
    assert set(ids) == {hit["filename"] for hit in hits}
    assert {str(each) for each in ids.values()} == {hit["id"] for hit in hits}
    assert {name: files[name] for name in ids} == {
        name: (tmp_path / f"{image_id}.jpg").read_bytes() for name, image_id in ids.items()
    }
    assert {(480, 320)} == {(hit["width"], hit["height"]) for hit in hits}
