"""The contract of each condition of a filter, alone and with all others, in every method."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from domain.entities.embeddings import Query, QueryKind
from domain.entities.facets import Facet
from domain.entities.filters import (
    GeoNear,
    ImageFilter,
    IntRange,
    LocalTimeRange,
    Orientation,
    TimeRange,
)
from domain.entities.images import Exif, GeoPoint, ImageStatus
from domain.entities.listing import Sort, Window
from domain.entities.places import GeoBox
from tests.fakes.images import NOON, image_with

if TYPE_CHECKING:
    from tests.postgres_library import ImageLibrary

pytestmark = pytest.mark.parametrize(
    "catalog", ["memory", "postgres", "postgres-index"], indirect=True
)

POINT = (0.6, 0.8, 0.0)
LATER = NOON + timedelta(hours=1)
LOCAL_NOON = NOON.replace(tzinfo=None)
EXIF = Exif(taken_at=NOON, camera_make="Leica", camera_model="M3", location=GeoPoint(48, 9))
MATCHING = image_with(
    UUID(int=1),
    filename="red.jpg",
    tags=("boat", "sea"),
    width=640,
    height=480,
    rating=4,
    exif=EXIF,
)
CASES: dict[str, tuple[object, dict[str, Any]]] = {  # Any: facts have many types
    "taken_at": (TimeRange(NOON, LATER), {"exif": replace(EXIF, taken_at=LATER)}),
    "taken_at_local": (
        LocalTimeRange(LOCAL_NOON, LOCAL_NOON + timedelta(hours=1)),
        {"exif": replace(EXIF, taken_at_local=LOCAL_NOON + timedelta(hours=1))},
    ),
    "created_at": (TimeRange(NOON, LATER), {"created_at": NOON - timedelta(microseconds=1)}),
    "camera_make_in": (("Canon", "Leica"), {"exif": replace(EXIF, camera_make="leica")}),
    "camera_model_in": (("M3",), {"exif": replace(EXIF, camera_model=None)}),
    "near": (GeoNear(48.0, 9.05, 20), {"exif": replace(EXIF, location=GeoPoint(48.4, 9.4))}),
    "within": (GeoBox(48.5, 47.5, 9.5, 8.5), {"exif": replace(EXIF, location=GeoPoint(48, 9.6))}),
    "has_location": (True, {"exif": replace(EXIF, location=None)}),
    "tags_all": (("boat",), {"tags": ("sea",)}),
    "tags_any": (("lake", "sea"), {"tags": ("boat",)}),
    "tags_none": (("private",), {"tags": ("boat", "private", "sea")}),
    "keywords": ("red", {"filename": "blue.jpg"}),
    "filename": ("*.jpg", {"filename": "red.JPG"}),
    "content_type_in": (("image/jpeg",), {"content_type": "image/png"}),
    "orientation": (Orientation.LANDSCAPE, {"width": 480}),
    "width": (IntRange(400, 640), {"width": 641}),
    "height": (IntRange(400, 640), {"height": 399}),
    "rating": (IntRange(4), {"rating": None}),
    "status_in": ((ImageStatus.READY,), {"status": ImageStatus.FAILED}),
    "ids_not_in": ((UUID(int=21),), {}),
}
"""For each field, a condition that MATCHING fulfils, and the facts by which another image fails it
and no other condition."""

FAILING = {
    name: replace(MATCHING, id=UUID(int=number), sha256=f"{number:064}", **facts)
    for number, (name, (_, facts)) in enumerate(CASES.items(), 2)
}
ALL: dict[str, Any] = {name: condition for name, (condition, _) in CASES.items()}
ALSO_FAILED_BY = {"near": {"has_location", "within"}, "within": {"has_location"}}
"""Conditions that the images of other fields fail too: one without a place is near nothing."""


@pytest.fixture
async def library(catalog: ImageLibrary) -> ImageLibrary:
    for image in (MATCHING, *FAILING.values()):
        await catalog.add(image, POINT)
    return catalog


async def matching_ids(catalog: ImageLibrary, criteria: ImageFilter) -> set[UUID]:
    """Return the ids of a listing, and assert that all other methods with a filter agree."""
    page = await catalog.list(criteria, Sort(), Window(100))
    ready = {image.id for image in page.images if image.status is ImageStatus.READY}
    for exact in (True, False):
        for kind in QueryKind:
            ranking = await catalog.search(Query(POINT, kind), criteria, limit=100, exact=exact)
            assert ready == {hit.image_id for hit in ranking.hits}
    assert len(page.images) == await catalog.count(criteria)
    facets = await catalog.facets(criteria, {Facet.CONTENT_TYPE: None})
    assert len(page.images) == sum(value.count for value in facets[Facet.CONTENT_TYPE])
    assert [len(ready), 0] == await catalog.count_nearest(criteria, [POINT, (0.0, 0.0, 1.0)])
    return {image.id for image in page.images}


async def test_one_condition_leaves_out_the_image_that_fails_it(library: ImageLibrary) -> None:
    # The trash has a contract of its own.
    assert {field.name for field in fields(ImageFilter)} == {*CASES, "deleted"}
    for name, condition in ALL.items():
        fail = {name} | ALSO_FAILED_BY.get(name, set())
        expected = {image.id for other, image in FAILING.items() if other not in fail}
        assert {MATCHING.id} | expected == await matching_ids(
            library, ImageFilter(**{name: condition})
        ), name


async def test_all_conditions_leave_the_image_that_fulfils_them(library: ImageLibrary) -> None:
    assert {MATCHING.id} == await matching_ids(library, ImageFilter(**ALL))


async def test_all_conditions_but_one_include_the_image_that_fails_that_one(
    library: ImageLibrary,
) -> None:
    for name in CASES:
        others = {other: condition for other, condition in ALL.items() if other != name}
        still_fails = any(name in also for also in ALSO_FAILED_BY.values())
        expected = {MATCHING.id} if still_fails else {MATCHING.id, FAILING[name].id}
        assert expected == await matching_ids(library, ImageFilter(**others)), name
