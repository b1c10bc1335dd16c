"""What is counted over many images, as the API shows it, and how well labels describe one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from domain import UseCases
from domain.entities import facets
from domain.entities.facets import Facet, FacetRequest, Selection
from domain.entities.filters import ImageFilter
from domain.entities.labels import Candidates
from graph.schema.fields import described

Ids: TypeAlias = Callable[[], Awaitable[Sequence[UUID]]]
Values: TypeAlias = tuple[facets.FacetValue, ...]


@strawberry.type
class FacetValue:
    """A value, and how many images have it."""

    value: str
    count: int


@strawberry.type
class LabelScore:
    """A label, and its share of what speaks for all candidates."""

    label: str
    share: float


@strawberry.type
class ImageFacets:
    """Counts over images, made when they are selected; all that are selected together, together."""

    counts: strawberry.Private[DataLoader[FacetRequest | Candidates, Values]]

    @classmethod
    def over(cls, use_cases: UseCases, selection: ImageFilter | Ids) -> "ImageFacets":
        """Return the facets of all that match, or of the ids that are asked for once, if at all."""
        return cls(counts=DataLoader(partial(_count, use_cases, selection)))

    @strawberry.field
    async def cameras(self, first: int = 10) -> list[FacetValue]:
        """Count camera models."""
        return await self._values(FacetRequest(Facet.CAMERA, first))

    @strawberry.field
    async def tags(self, first: int = 20) -> list[FacetValue]:
        """Count tags."""
        return await self._values(FacetRequest(Facet.TAG, first))

    @described("YYYY-MM of takenAt, newest first.")
    async def months(self, first: int = 24) -> list[FacetValue]:
        """Count months."""
        return await self._values(FacetRequest(Facet.MONTH, first))

    @strawberry.field
    async def content_types(self) -> list[FacetValue]:
        """Count media types."""
        return await self._values(FacetRequest(Facet.CONTENT_TYPE))

    @described("Zero-shot: each hit counts for the label that fits it best.")
    async def labels(self, candidates: list[str]) -> list[FacetValue]:
        """Count labels."""
        return await self._values(Candidates.of(candidates))

    async def _values(self, key: FacetRequest | Candidates) -> list[FacetValue]:
        return [
            FacetValue(value=each.value, count=each.count) for each in await self.counts.load(key)
        ]


async def _count(
    use_cases: UseCases, selection: ImageFilter | Ids, keys: Sequence[FacetRequest | Candidates]
) -> list[Values | BaseException]:
    """Count facts in one statement, and labels in one for each list of them.

    What keeps labels from being counted is their error, and no other field's.
    """
    meant: Selection = selection if isinstance(selection, ImageFilter) else await selection()
    wanted = [key for key in keys if isinstance(key, FacetRequest)]
    candidates = [key for key in keys if isinstance(key, Candidates)]
    labels = (use_cases.label.count(meant, each) for each in candidates)
    facts, labelled = await asyncio.gather(
        use_cases.facets(meant, wanted), asyncio.gather(*labels, return_exceptions=True)
    )
    values: list[Values | BaseException] = [*facts, *labelled]
    counted = dict(zip([*wanted, *candidates], values, strict=True))
    return [counted[key] for key in keys]
