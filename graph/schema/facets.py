"""Facets of a set of images, and label scores of one image."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias
from uuid import UUID

import strawberry

from domain import UseCases
from domain.entities import facets
from domain.entities.facets import Facet, FacetRequest, Selection
from domain.entities.filters import ImageFilter
from domain.entities.labels import Candidates
from graph.schema.arguments import FacetSize, LabelCandidates
from graph.schema.lazy import Loader

LoadIds: TypeAlias = Callable[[], Awaitable[Sequence[UUID]]]
Values: TypeAlias = tuple[facets.FacetValue, ...]


@strawberry.type
class FacetValue:
    """A value, and how many images have it."""

    value: str
    count: int


@strawberry.type
class LabelScore:
    """A label and its share of the softmax over all candidates, 0 to 1."""

    label: str
    share: float


@strawberry.type
class ImageFacets:
    """Counts of the values that a set of images has, computed only when selected."""

    counts: strawberry.Private[Loader[FacetRequest | Candidates, Values]]

    @classmethod
    def over(cls, use_cases: UseCases, selection: ImageFilter | LoadIds) -> "ImageFacets":
        """Return the facets of a filter, or of ids that are loaded once, with the first facet."""
        return cls(counts=Loader(partial(_count, use_cases, selection)))

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
