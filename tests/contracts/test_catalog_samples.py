"""What every catalog promises of what stands for it, and of how it says it searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import ImageFilter
from domain.entities.images import ImageStatus
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from tests.postgres_library import ImageLibrary


def turned(number: int) -> tuple[float, float, float]:
    return (float(np.cos(number)), float(np.sin(number)), 0.0)


async def fill(catalog: ImageLibrary, count: int) -> list[UUID]:
    return [(await catalog.add(image_with(), turned(number))).id for number in range(count)]


def numbers(sample: Sequence[Embedding], count: int) -> list[int]:
    """Return which of so many pictures are in a sample."""
    points = np.array([turned(number) for number in range(count)])
    near = np.array(sample) @ points.T
    assert (near.max(axis=1) > 1 - 1e-6).all()
    return sorted(near.argmax(axis=1).tolist())


async def test_a_sample_of_more_than_there_are_is_everything(catalog: ImageLibrary) -> None:
    await fill(catalog, 20)
    for size in (20, 500):
        assert list(range(20)) == numbers(await catalog.sample(size), 20)


async def test_a_sample_is_no_larger_than_asked_for_and_holds_nothing_twice(
    catalog: ImageLibrary,
) -> None:
    await fill(catalog, 40)
    sampled = numbers(await catalog.sample(15), 40)
    assert 15 == len(sampled) == len(set(sampled))


async def test_there_is_no_sample_of_nothing(catalog: ImageLibrary) -> None:
    assert [] == list(await catalog.sample(500))


async def test_only_what_is_here_and_ready_is_sampled(catalog: ImageLibrary) -> None:
    gone, *_ = await fill(catalog, 5)
    failed = image_with(status=ImageStatus.FAILED, failure_reason="too dark")
    await catalog.add(failed, turned(5))
    await catalog.delete([gone])
    assert [1, 2, 3, 4] == numbers(await catalog.sample(500), 6)


@pytest.mark.parametrize("exact", [True, False])
async def test_a_catalog_says_how_it_searches(
    catalog: ImageLibrary,
    exact: bool,  # noqa: FBT001
) -> None:
    await fill(catalog, 5)
    query = Query((1.0, 0.0, 0.0), QueryKind.TEXT)
    for criteria in (ImageFilter(), ImageFilter(tags_any=("sea",), keywords="a 'quoted' boat")):
        plan = await catalog.explain(query, criteria, limit=1_000, exact=exact)
        assert plan.strip() == plan
        assert plan
