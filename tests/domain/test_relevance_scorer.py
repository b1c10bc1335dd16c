"""Scoring the relevance of hits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.embeddings import EmbeddingModel, Hit, Query, QueryKind, QueryPart
from domain.entities.images import uuid7
from domain.entities.relevance import Calibration, Curve
from domain.use_cases.search.relevance_scorer import RelevanceScorer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding

TEXT, IMAGE = QueryKind.TEXT, QueryKind.IMAGE
CURVES = Calibration(text=Curve(7.0, 1.3), image=Curve(18.0, 4.0))
MODEL = EmbeddingModel("fake", 2, calibration=CURVES)
POINT = (1.0, 0.0)


class FixedMargins:
    """Has fixed margins by image, and records the requested ids."""

    def __init__(self, *margins: tuple[float, ...]) -> None:
        self.margins_of: dict[UUID, tuple[float, ...]] = {uuid7(): each for each in margins}
        self.requested: list[UUID] = []

    @property
    def hits(self) -> list[Hit]:
        return [Hit(id_, 0.3) for id_ in self.margins_of]

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        self.requested += ids
        found = {id_: self.margins_of[id_] for id_ in reversed(ids) if id_ in self.margins_of}
        assert all(len(parts) == len(margins) for margins in found.values())
        return dict(found)

    async def blend(self, parts: Sequence[QueryPart]) -> Embedding:
        raise NotImplementedError(parts)


def blend(*parts: tuple[QueryKind, float]) -> Query:
    return Query(
        POINT, parts[0][0], tuple(QueryPart(POINT, kind, weight) for kind, weight in parts)
    )


async def relevances(space: FixedMargins, query: Query) -> list[float | None]:
    return [hit.relevance for hit in await RelevanceScorer(space, MODEL)(query, space.hits)]


@pytest.mark.parametrize(("kind", "curve"), [(TEXT, CURVES.text), (IMAGE, CURVES.image)])
async def test_texts_and_pictures_are_scored_by_their_own_curves(
    kind: QueryKind, curve: Curve
) -> None:
    space = FixedMargins((7.0,), (18.0,), (-3.0,))
    expected = [curve(7.0), curve(18.0), curve(-3.0)]
    assert pytest.approx(expected) == await relevances(space, Query(POINT, kind))


async def test_like_parts_are_combined_by_a_weighted_geometric_mean() -> None:
    space = FixedMargins((8.0, 15.0), (6.0, 30.0))
    expected = [
        CURVES.text(text) ** 0.75 * CURVES.image(picture) ** 0.25
        for text, picture in space.margins_of.values()
    ]
    query = blend((TEXT, 3.0), (IMAGE, 1.0))
    assert pytest.approx(expected) == await relevances(space, query)


async def test_unlike_parts_lower_the_relevance_by_their_own() -> None:
    space = FixedMargins((9.0, 5.0, 20.0), (9.0, 50.0, 0.0), (9.0, -50.0, -50.0))
    strong = CURVES.text(9.0)
    expected = [strong * (1 - CURVES.text(5.0)) * (1 - CURVES.image(20.0)), 0.0, strong]
    query = blend((TEXT, 2.0), (TEXT, -1.0), (IMAGE, -1.0))
    assert pytest.approx(expected) == await relevances(space, query)


@given(
    st.lists(
        st.tuples(st.sampled_from(QueryKind), st.floats(0.001, 100), st.floats(-1e6, 1e6)),
        min_size=1,
        max_size=20,
    )
)
async def test_the_relevance_of_a_blend_is_between_0_and_that_of_its_best_part(
    parts: list[tuple[QueryKind, float, float]],
) -> None:
    space = FixedMargins(tuple(margin for *_, margin in parts))
    [relevance] = await relevances(space, blend(*((kind, weight) for kind, weight, _ in parts)))
    assert relevance is not None
    assert math.isfinite(relevance)
    curves = {TEXT: CURVES.text, IMAGE: CURVES.image}
    fits = [curves[kind](margin) for kind, _, margin in parts]
    assert 0 <= relevance <= max(fits) + 1e-12


async def test_hits_keep_their_order_and_deleted_ones_are_left_out() -> None:
    space = FixedMargins((5.0,), (9.0,), (7.0,))
    first, deleted, last = space.hits
    del space.margins_of[deleted.image_id]
    scored = await RelevanceScorer(space, MODEL)(Query(POINT, TEXT), [first, deleted, last])
    assert [first.image_id, last.image_id] == [hit.image_id for hit in scored]
    assert [CURVES.text(5.0), CURVES.text(7.0)] == [hit.relevance for hit in scored]


async def test_hits_with_a_relevance_are_not_scored_again() -> None:
    space = FixedMargins((5.0,), (9.0,))
    score, query = RelevanceScorer(space, MODEL), Query(POINT, TEXT)
    known = Hit(uuid7(), 0.4, relevance=0.625, collapsed_count=3)
    new = space.hits
    assert known == (await score(query, [new[0], known, new[1]]))[1]
    assert [hit.image_id for hit in new] == space.requested
    await score(query, await score(query, new))
    assert 2 * [hit.image_id for hit in new] == space.requested


async def test_no_hits_need_no_margins() -> None:
    space = FixedMargins()
    assert [] == await RelevanceScorer(space, MODEL)(Query(POINT, TEXT), [])
    assert [] == space.requested


@pytest.mark.parametrize(
    ("least", "kept"), [(None, 2), (0.0, 4), (0.5, 2), (0.51, 1), (0.9999, 1), (1.0, 0)]
)
async def test_likely_hits_are_relevant_unless_a_minimum_is_given(
    least: float | None, kept: int
) -> None:
    space = FixedMargins((20.0,), (7.0,), (math.nextafter(7.0, 0) - 1e-9,), (-9.0,))
    relevant = await RelevanceScorer(space, MODEL).relevant(
        Query(POINT, TEXT), space.hits, least=least
    )
    assert list(space.margins_of)[:kept] == [hit.image_id for hit in relevant]
