"""The contract of VectorIndex: random samples, and plans of searches."""

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


def unit_vector(radians: int) -> tuple[float, float, float]:
    return (float(np.cos(radians)), float(np.sin(radians)), 0.0)


async def add_images(catalog: ImageLibrary, count: int) -> list[UUID]:
    return [(await catalog.add(image_with(), unit_vector(number))).id for number in range(count)]


def sampled_numbers(sample: Sequence[Embedding], count: int) -> list[int]:
    """Return the numbers of the images in a sample, of ``count`` images."""
    points = np.array([unit_vector(number) for number in range(count)])
    cosines = np.array(sample) @ points.T
    assert (cosines.max(axis=1) > 1 - 1e-6).all()
    return sorted(cosines.argmax(axis=1).tolist())


async def test_a_sample_larger_than_the_library_has_every_image(catalog: ImageLibrary) -> None:
    await add_images(catalog, 20)
    for size in (20, 500):
        assert list(range(20)) == sampled_numbers(await catalog.sample(size), 20)


async def test_a_sample_has_the_requested_size_and_no_image_twice(
    catalog: ImageLibrary,
) -> None:
    await add_images(catalog, 40)
    sampled = sampled_numbers(await catalog.sample(15), 40)
    assert 15 == len(sampled) == len(set(sampled))


async def test_the_sample_of_an_empty_library_is_empty(catalog: ImageLibrary) -> None:
    assert [] == list(await catalog.sample(500))


async def test_deleted_and_failed_images_are_not_sampled(catalog: ImageLibrary) -> None:
    deleted, *_ = await add_images(catalog, 5)
    failed = image_with(status=ImageStatus.FAILED, failure_reason="too dark")
    await catalog.add(failed, unit_vector(5))
    await catalog.delete([deleted])
    assert [1, 2, 3, 4] == sampled_numbers(await catalog.sample(500), 6)


@pytest.mark.parametrize("exact", [True, False])
async def test_explain_returns_a_plan(
    catalog: ImageLibrary,
    exact: bool,  # noqa: FBT001
) -> None:
    await add_images(catalog, 5)
    query = Query((1.0, 0.0, 0.0), QueryKind.TEXT)
    for criteria in (ImageFilter(), ImageFilter(tags_any=("sea",), keywords="a 'quoted' boat")):
        plan = await catalog.explain(query, criteria, limit=1_000, exact=exact)
        assert plan.strip() == plan
        assert plan
