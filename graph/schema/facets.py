"""Facets of a set of images, and label scores of one image."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from domain import UseCases
from domain.entities import facets, places
from domain.entities.facets import Facet, FacetRequest, Selection
from domain.entities.filters import ImageFilter
from domain.entities.labels import Candidates
from domain.entities.places import MAX_CLUSTERS, MAX_PRECISION, PlaceRequest
from graph.schema.arguments import FacetSize, LabelCandidates
from graph.schema.image import GeoPoint
from graph.schema.lazy import Loader

LoadIds: TypeAlias = Callable[[], Awaitable[Sequence[UUID]]]
Values: TypeAlias = tuple[facets.FacetValue, ...]


@strawberry.type
class FacetValue:
    """A value, and how many images have it."""

    value: str
    """The value as text."""
    count: int
    """How many of the images have the value."""


@strawberry.type
class LabelScore:
    """A label and its share of the softmax over all candidates, 0 to 1."""

    label: str
    """One of the candidates."""
    share: float
    """Its share, 0 to 1."""


@strawberry.type
class PlaceFacetValue:
    """The images that were taken in one cell of a grid over the map."""

    count: int
    """How many images it has."""
    center: GeoPoint
    """The mean of their places."""
    north: float
    """The latitude of the northernmost image, in degrees."""
    south: float
    """The latitude of the southernmost image, in degrees."""
    east: float
    """The longitude of the easternmost image, in degrees."""
    west: float
    """The longitude of the westernmost image, in degrees. No cluster crosses the date line."""

    @classmethod
    def of(cls, cluster: places.PlaceCluster) -> "PlaceFacetValue":
        """Convert a cluster of the domain."""
        box = cluster.box
        return cls(
            count=cluster.count,
            center=GeoPoint(latitude=cluster.latitude, longitude=cluster.longitude),
            north=box.north,
            south=box.south,
            east=box.east,
            west=box.west,
        )


@strawberry.type
class ImageFacets:
    """Counts of the values that a set of images has, computed only when selected."""

    counts: strawberry.Private[Loader[FacetRequest | Candidates, Values]]
    clusters: strawberry.Private[Loader[PlaceRequest, Sequence[places.PlaceCluster]]]

    @classmethod
    def over(cls, use_cases: UseCases, selection: ImageFilter | LoadIds) -> "ImageFacets":
        """Return the facets of a filter, or of ids that are loaded once, with the first facet."""
        return cls(
            counts=Loader(partial(_count, use_cases, selection)),
            clusters=Loader(partial(_cluster, use_cases, selection)),
        )

    @strawberry.field
    async def cameras(self, first: FacetSize = 10) -> list[FacetValue]:
        """The camera models, the most frequent first."""
        return await self._values(FacetRequest(Facet.CAMERA, first))

    @strawberry.field
    async def tags(self, first: FacetSize = 20) -> list[FacetValue]:
        """The tags, the most frequent first."""
        return await self._values(FacetRequest(Facet.TAG, first))

    @strawberry.field
    async def months(self, first: FacetSize = 24) -> list[FacetValue]:
        """The months in which the images were taken, as YYYY-MM in local time, the newest first."""
        return await self._values(FacetRequest(Facet.MONTH, first))

    @strawberry.field
    async def content_types(self) -> list[FacetValue]:
        """The media types, the most frequent first."""
        return await self._values(FacetRequest(Facet.CONTENT_TYPE))

    @strawberry.field
    async def places(
        self,
        precision: Annotated[
            int,
            strawberry.argument(
                description=(
                    f"How fine the grid is, 0 to {MAX_PRECISION}: 2 to the power of it is the "
                    "number of cells around the equator. For a map of tiles, two more than its "
                    "zoom gives cells of 64 pixels."
                )
            ),
        ],
        first: Annotated[
            int,
            strawberry.argument(description=f"How many clusters to return, 1 to {MAX_CLUSTERS:,}."),
        ] = 500,
    ) -> list[PlaceFacetValue]:
        """Clusters of the places where the images were taken, the largest first.

        Together with the filter `within`, this is what a map shows. Images without a place are not
        counted.
        """
        clusters = await self.clusters.load(PlaceRequest(precision, first))
        return [PlaceFacetValue.of(each) for each in clusters]

    @strawberry.field
    async def labels(self, candidates: LabelCandidates) -> list[FacetValue]:
        """The labels by zero-shot classification. An image counts for its best label."""
        return await self._values(Candidates.of(candidates))

    async def _values(self, key: FacetRequest | Candidates) -> list[FacetValue]:
        return [
            FacetValue(value=each.value, count=each.count) for each in await self.counts.load(key)
        ]


async def _count(
    use_cases: UseCases, selection: ImageFilter | LoadIds, keys: Sequence[FacetRequest | Candidates]
) -> list[Values | BaseException]:
    """Count all facts in one statement, and the labels of each list of candidates in another.

    A failure to count labels is an error of that field only.
    """
    images: Selection = selection if isinstance(selection, ImageFilter) else await selection()
    requests = [key for key in keys if isinstance(key, FacetRequest)]
    candidates = [key for key in keys if isinstance(key, Candidates)]
    labels = (use_cases.label.count(images, each) for each in candidates)
    facts, labelled = await asyncio.gather(
        use_cases.facets(images, requests), asyncio.gather(*labels, return_exceptions=True)
    )
    values: list[Values | BaseException] = [*facts, *labelled]
    counted = dict(zip([*requests, *candidates], values, strict=True))
    return [counted[key] for key in keys]


async def _cluster(
    use_cases: UseCases, selection: ImageFilter | LoadIds, requests: Sequence[PlaceRequest]
) -> list[Sequence[places.PlaceCluster]]:
    images: Selection = selection if isinstance(selection, ImageFilter) else await selection()
    return list(await asyncio.gather(*(use_cases.places(images, each) for each in requests)))
