"""Pages of what a search found, by rank, and what can be asked about the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import strawberry

from domain.relevance import RelevanceBand, band_of
from domain.searches import DEPTH, Found, SearchPage
from domain.watch_matches import Match
from graph.connections import PageInfo
from graph.cursors import search_cursor
from graph.facets import ImageFacets
from graph.fields import described
from graph.ids import global_id
from graph.types import Image, Info

T = TypeVar("T")

strawberry.enum(RelevanceBand)


class Once(Generic[T]):
    """Something that is worked out when it is first asked for, and then the same for everybody."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        """Take what works it out."""
        self._work = work
        self._task: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        """Return it."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._work())
        return await self._task


@strawberry.type
class ImageSearchEdge:
    """An image that was found."""

    cursor: str
    node: Image
    score: float = strawberry.field(description="Cosine similarity of query and image, -1 to 1.")
    collapsed_count: int = strawberry.field(
        description="With collapse: how many images this one stands for."
    )
    relevances: strawberry.Private[Any]  # Once of a dictionary; Strawberry reads no generics here

    @classmethod
    def of(cls, found: Found, relevances: Once[dict[Any, float]]) -> "ImageSearchEdge":
        """Return what the domain found as the API shows it."""
        return cls(
            cursor=search_cursor(found.cursor),
            node=Image.of(found.image),
            score=found.hit.score,
            collapsed_count=found.hit.stands_for,
            relevances=relevances,
        )

    @classmethod
    def live(cls, match: Match) -> "ImageSearchEdge":
        """Return what a live search found. No page holds it, so its cursor is the image's id."""

        async def known() -> dict[Any, float]:
            return {match.image.id: match.hit.relevance or 0.0}

        return cls(
            cursor=global_id(match.image.id),
            node=Image.of(match.image),
            score=match.hit.score,
            collapsed_count=match.hit.stands_for,
            relevances=Once(known),
        )

    @described(
        "The score on a scale that means the same for every query and every model, 0 to 1: how far "
        "the image stands out from what the library scores for this query by chance."
    )
    async def relevance(self) -> float:
        """Judge all hits of the page at once."""
        return await self._relevance()

    @strawberry.field
    async def band(self) -> RelevanceBand:
        """Say the relevance in a word."""
        return band_of(await self._relevance())

    async def _relevance(self) -> float:
        judged: dict[Any, float] = await self.relevances()
        # One that was deleted in between is no answer any more.
        return judged.get(self.node.image.id, 0.0)


@strawberry.type
class Stage:
    """A part of the work on an answer."""

    name: str
    milliseconds: float


@strawberry.type
class SearchExplanation:
    """What was done to answer."""

    model: str
    stages: list[Stage] = strawberry.field(
        description="Milliseconds by stage, in order: encode, search, fetch."
    )
    exact: bool = strawberry.field(
        description=(
            "True when every vector was compared, false when an approximate index was walked."
        )
    )
    page: strawberry.Private[SearchPage]

    @described(
        "The part of the exact first page that this page holds; null unless `exact` is false and "
        "recall is asked for."
    )
    async def recall(self, info: Info) -> float | None:
        """Search again, exactly."""
        info.context.count_searches()
        return await info.context.use_cases.search.recall(self.page)

    @described("PostgreSQL's plan.")
    async def plan(self, info: Info) -> str:
        """Ask the database."""
        return await info.context.use_cases.search.plan(self.page)


@strawberry.type
class ImageSearchConnection:
    """A page of what a search found, the best first."""

    edges: list[ImageSearchEdge]
    nodes: list[Image]
    page_info: PageInfo
    search_id: strawberry.ID = strawberry.field(
        description=(
            "The embedded query, kept for an hour: give it as `by: {searchId}` to ask again, with "
            "other filters, without re-sending text or file."
        )
    )
    facets: ImageFacets = strawberry.field(
        description=(
            "Counts over the relevant hits (relevance at least minRelevance, or LIKELY where none "
            "is given), only when selected."
        )
    )
    page: strawberry.Private[SearchPage]
    relevant: strawberry.Private[Any]  # Once of a list; Strawberry reads no generics here

    @classmethod
    def of(cls, page: SearchPage, info: Info) -> "ImageSearchConnection":
        """Return the domain's page as the API shows it."""
        # Of an earlier model, where one goes on in what that has found.
        search = info.context.use_cases.search.of(page.search)

        async def judged() -> dict[Any, float]:
            hits = await search.judge(page.search.query, [found.hit for found in page.found])
            return {hit.image_id: hit.relevance or 0.0 for hit in hits}

        relevances = Once(judged)
        relevant = Once(lambda: search.relevant(page))

        async def relevant_ids() -> list[Any]:
            return [hit.image_id for hit in await relevant()]

        edges = [ImageSearchEdge.of(found, relevances) for found in page.found]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.around(
                [edge.cursor for edge in edges],
                has_next=page.has_next,
                has_previous=page.has_previous,
            ),
            search_id=strawberry.ID(str(page.search.id)),
            facets=ImageFacets.over(info.context.use_cases, relevant_ids),
            page=page,
            relevant=relevant,
        )

    @described(
        f"How many images are relevant, in the same sense; exact up to {DEPTH:,}, then a floor."
    )
    async def relevant_count(self) -> int:
        """Judge every hit."""
        return len(await self.relevant())

    @described(
        "What was done to answer, and how near the answer is to an exact one. Computed only when "
        "selected."
    )
    def explain(self) -> SearchExplanation:
        """Say what is known already; the rest is worked out where it is asked for."""
        return SearchExplanation(
            model=self.page.search.model,
            stages=[Stage(name=s.name, milliseconds=s.milliseconds) for s in self.page.stages],
            exact=self.page.search.exact,
            page=self.page,
        )
