"""Images, and pages of them: listings and the answers of searches.

They refer to each other, since an image leads to the images that look like it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from domain.entities import filters
from domain.entities.keys import Scope
from domain.entities.labels import Candidates
from domain.entities.listing import Page, Sort, position_of
from domain.entities.relevance import RelevanceBand, band_of
from domain.entities.searches import MAX_SEARCH_DEPTH, FoundImage, SearchPage
from domain.use_cases.search.watch_matches import Match
from graph.schema.context import Info
from graph.schema.facets import ImageFacets, LabelScore
from graph.schema.fields import described, given
from graph.schema.ids import Node, global_id
from graph.schema.image import ImageFields, ImageFilter, criteria_of
from graph.schema.pagination import PageInfo, position_cursor, search_at, search_cursor

T = TypeVar("T")

strawberry.enum(RelevanceBand)


@strawberry.type
class Image(ImageFields, Node):
    """A picture of the library."""

    @described("Images that look like this one, closest first, never itself.")
    async def similar_images(
        self,
        info: Info,
        first: int = 20,
        after: str | None = strawberry.UNSET,
        criteria: Annotated[
            ImageFilter | None, strawberry.argument(name="filter")
        ] = strawberry.UNSET,
    ) -> "ImageSearchConnection":
        """Search by this image."""
        use_cases = info.context.may(Scope.READ)
        info.context.count_searches()
        cursor = given(after)
        page = await use_cases.similar(
            self.image.id,
            criteria=criteria_of(criteria),
            first=first,
            after=None if cursor is None else search_at(cursor, location=("after",)),
        )
        return ImageSearchConnection.of(page, info)

    @described(
        "Zero-shot classification: how well each label describes the image; the shares add up to "
        "1, best first."
    )
    async def labels(self, info: Info, candidates: list[str]) -> list[LabelScore]:
        """Compare the image with labels. An image that is not READY has no scores."""
        info.context.may(Scope.READ)
        scores = await info.context.labels.load((self.image.id, Candidates.of(candidates)))
        return [LabelScore(label=score.label, share=score.share) for score in scores]


@strawberry.type
class ImageEdge:
    """An image and its place in the listing."""

    cursor: str
    node: Image


@strawberry.type
class ImageConnection:
    """A page of a listing."""

    nodes: list[Image]
    facets: ImageFacets = strawberry.field(
        description="Counted over everything that matches the filter, only when selected."
    )
    page: strawberry.Private[Page]
    criteria: strawberry.Private[filters.ImageFilter]
    sort: strawberry.Private[Sort]

    @classmethod
    def of(
        cls, page: Page, *, criteria: filters.ImageFilter, sort: Sort, facets: ImageFacets
    ) -> "ImageConnection":
        """Return the domain's page as the API shows it."""
        nodes = [Image.of(image) for image in page.images]
        return cls(nodes=nodes, facets=facets, page=page, criteria=criteria, sort=sort)

    @strawberry.field
    def edges(self) -> list[ImageEdge]:
        """Give each image its cursor."""
        return [ImageEdge(cursor=self._cursor(node), node=node) for node in self.nodes]

    @strawberry.field
    def page_info(self) -> PageInfo:
        """Say where the page lies."""
        return PageInfo.around(
            [self._cursor(node) for node in self.nodes],
            has_next=self.page.has_next,
            has_previous=self.page.has_previous,
        )

    @described("Counted only when selected.")
    async def total_count(self, info: Info) -> int:
        """Count what matches."""
        return await info.context.use_cases.list.count(self.criteria)

    def _cursor(self, node: Image) -> str:
        return position_cursor(position_of(node.image, self.sort), self.sort)


class Lazy(Generic[T]):
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
    def of(cls, found: FoundImage, relevances: Lazy[dict[Any, float]]) -> "ImageSearchEdge":
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
            relevances=Lazy(known),
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
            hits = await search.score(page.search.query, [found.hit for found in page.found])
            return {hit.image_id: hit.relevance or 0.0 for hit in hits}

        relevances = Lazy(judged)
        relevant = Lazy(lambda: search.relevant(page))

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
        f"How many images are relevant, in the same sense; exact up to {MAX_SEARCH_DEPTH:,}, then a floor."
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
