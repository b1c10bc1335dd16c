"""Telling hits from noise."""

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


class ToldSpace:
    """Knows the margins of what is here, and notes whose it was asked for."""

    def __init__(self, *margins: tuple[float, ...]) -> None:
        self.margins_of: dict[UUID, tuple[float, ...]] = {uuid7(): each for each in margins}
        self.asked: list[UUID] = []

    @property
    def hits(self) -> list[Hit]:
        return [Hit(id_, 0.3) for id_ in self.margins_of]

    async def margins(
        self, parts: Sequence[QueryPart], ids: Sequence[UUID]
    ) -> dict[UUID, Sequence[float]]:
        self.asked += ids
        found = {id_: self.margins_of[id_] for id_ in reversed(ids) if id_ in self.margins_of}
        assert all(len(parts) == len(margins) for margins in found.values())
        return dict(found)

    async def blend(self, parts: Sequence[QueryPart]) -> Embedding:
        raise NotImplementedError(parts)


def blend(*parts: tuple[QueryKind, float]) -> Query:
    return Query(
        POINT, parts[0][0], tuple(QueryPart(POINT, kind, weight) for kind, weight in parts)
    )


async def relevances(space: ToldSpace, query: Query) -> list[float | None]:
    return [hit.relevance for hit in await RelevanceScorer(space, MODEL)(query, space.hits)]


@pytest.mark.parametrize(("kind", "curve"), [(TEXT, CURVES.text), (IMAGE, CURVES.image)])
async def test_a_text_and_a_picture_are_judged_by_their_own_curves(
    kind: QueryKind, curve: Curve
) -> None:
    space = ToldSpace((7.0,), (18.0,), (-3.0,))
    expected = [curve(7.0), curve(18.0), curve(-3.0)]
    assert pytest.approx(expected) == await relevances(space, Query(POINT, kind))


async def test_what_is_wanted_counts_by_its_weight_in_a_geometric_mean() -> None:
    space = ToldSpace((8.0, 15.0), (6.0, 30.0))
    expected = [
        CURVES.text(text) ** 0.75 * CURVES.image(picture) ** 0.25
        for text, picture in space.margins_of.values()
    ]
    query = blend((TEXT, 3.0), (IMAGE, 1.0))
    assert pytest.approx(expected) == await relevances(space, query)


async def test_what_is_not_wanted_takes_away_as_much_as_it_fits() -> None:
    space = ToldSpace((9.0, 5.0, 20.0), (9.0, 50.0, 0.0), (9.0, -50.0, -50.0))
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
async def test_a_blend_is_no_surer_than_its_surest_part_and_at_most_sure(
    parts: list[tuple[QueryKind, float, float]],
) -> None:
    space = ToldSpace(tuple(margin for *_, margin in parts))
    [relevance] = await relevances(space, blend(*((kind, weight) for kind, weight, _ in parts)))
    assert relevance is not None
    assert math.isfinite(relevance)
    curves = {TEXT: CURVES.text, IMAGE: CURVES.image}
    fits = [curves[kind](margin) for kind, _, margin in parts]
    assert 0 <= relevance <= max(fits) + 1e-12


async def test_hits_keep_their_order_and_those_that_are_gone_drop_out() -> None:
    space = ToldSpace((5.0,), (9.0,), (7.0,))
    first, gone, last = space.hits
    del space.margins_of[gone.image_id]
    judged = await RelevanceScorer(space, MODEL)(Query(POINT, TEXT), [first, gone, last])
    assert [first.image_id, last.image_id] == [hit.image_id for hit in judged]
    assert [CURVES.text(5.0), CURVES.text(7.0)] == [hit.relevance for hit in judged]


async def test_what_was_judged_is_not_judged_again() -> None:
    space = ToldSpace((5.0,), (9.0,))
    judge, query = RelevanceScorer(space, MODEL), Query(POINT, TEXT)
    known = Hit(uuid7(), 0.4, relevance=0.625, collapsed_count=3)
    new = space.hits
    assert known == (await judge(query, [new[0], known, new[1]]))[1]
    assert [hit.image_id for hit in new] == space.asked
    await judge(query, await judge(query, new))
    assert 2 * [hit.image_id for hit in new] == space.asked


async def test_nothing_is_asked_where_nothing_was_found() -> None:
    space = ToldSpace()
    assert [] == await RelevanceScorer(space, MODEL)(Query(POINT, TEXT), [])
    assert [] == space.asked


@pytest.mark.parametrize(
    ("least", "kept"), [(None, 2), (0.0, 4), (0.5, 2), (0.51, 1), (0.9999, 1), (1.0, 0)]
)
async def test_what_is_likely_is_relevant_unless_another_bound_is_set(
    least: float | None, kept: int
) -> None:
    space = ToldSpace((20.0,), (7.0,), (math.nextafter(7.0, 0) - 1e-9,), (-9.0,))
    relevant = await RelevanceScorer(space, MODEL).relevant(
        Query(POINT, TEXT), space.hits, least=least
    )
    assert list(space.margins_of)[:kept] == [hit.image_id for hit in relevant]
