"""Images and pages of search results. They share a module, since each type refers to the other."""

from typing import Any

import strawberry

from domain.entities.keys import Scope
from domain.entities.labels import Candidates
from domain.entities.relevance import RelevanceBand, band_of
from domain.entities.searches import FoundImage, SearchDepth, SearchPage
from domain.use_cases.search.watch_matches import Match
from graph.schema.arguments import (
    DEFAULT_PAGE_SIZE,
    After,
    First,
    LabelCandidates,
    none_if_unset,
)
from graph.schema.context import Info
from graph.schema.facets import ImageFacets, LabelScore
from graph.schema.ids import Node, global_id
from graph.schema.image import Filter, ImageFields, criteria_of
from graph.schema.lazy import Lazy
from graph.schema.pagination import PageInfo, decode_search_cursor, encode_search_cursor
from graph.schema.selection import selects_any

COUNTS_OF_ALL_HITS = frozenset({"facets", "relevantCount"})
"""The fields of ImageSearchConnection that need all hits of a search."""

strawberry.enum(
    RelevanceBand,
    description="Relevance in three bands: STRONG from 0.9, LIKELY from 0.5, WEAK below 0.5.",
)


def depth_for(info: Info) -> SearchDepth:
    """Return how deep a search has to be for the fields that are selected on its connection.

    A count that this overlooks is right as well, and slower: it ranks the search again.
    """
    return SearchDepth.ALL if selects_any(info, COUNTS_OF_ALL_HITS) else SearchDepth.PAGE


@strawberry.type
class Image(ImageFields, Node):
    """A picture of the library."""

    @strawberry.field
    async def similar_images(
        self,
        info: Info,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = strawberry.UNSET,
        criteria: Filter = strawberry.UNSET,
    ) -> "ImageSearchConnection":
        """The images most similar to this one, best first. The image itself is left out."""
        use_cases = info.context.authorize(Scope.READ)
        info.context.count_searches()
        cursor = none_if_unset(after)
        page = await use_cases.similar(
            self.image.id,
            criteria=criteria_of(criteria),
            first=first,
            after=None if cursor is None else decode_search_cursor(cursor, location=("after",)),
            depth=depth_for(info),
        )
        return ImageSearchConnection.of(page, info)

    @strawberry.field
    async def labels(self, info: Info, candidates: LabelCandidates) -> list[LabelScore]:
        """Zero-shot classification: how well each label describes the image, best first.

        The shares add up to 1. The list is empty unless the image is READY.
        """
        info.context.authorize(Scope.READ)
        scores = await info.context.labels.load((self.image.id, Candidates.of(candidates)))
        return [LabelScore(label=score.label, share=score.share) for score in scores]


@strawberry.type
class ImageSearchEdge:
    """A hit of a search: an image, its scores and its cursor."""

    cursor: str
    """The place of the hit on the pages of its search."""
    node: Image
    """The image."""
    score: float = strawberry.field(
        description="The cosine similarity of query and image, -1 to 1."
    )
    collapsed_count: int = strawberry.field(
        description=(
            "How many hits this one stands for: itself, and its duplicates that `collapse` hides."
        )
    )
    # Any: Strawberry cannot read the generic Lazy[dict[UUID, float]].
    relevance_by_id: strawberry.Private[Any]

    @classmethod
    def of(cls, found: FoundImage, relevance_by_id: Lazy[dict[Any, float]]) -> "ImageSearchEdge":
        """Convert an image of a page."""
        return cls(
            cursor=encode_search_cursor(found.cursor),
            node=Image.of(found.image),
            score=found.hit.score,
            collapsed_count=found.hit.collapsed_count,
            relevance_by_id=relevance_by_id,
        )

    @classmethod
    def live(cls, match: Match) -> "ImageSearchEdge":
        """Convert a match of a live search. It is on no page, so its cursor is the image's id."""

        async def relevance_by_id() -> dict[Any, float]:
            return {match.image.id: match.hit.relevance or 0.0}

        return cls(
            cursor=global_id(match.image.id),
            node=Image.of(match.image),
            score=match.hit.score,
            collapsed_count=match.hit.collapsed_count,
            relevance_by_id=Lazy(relevance_by_id),
        )

    @strawberry.field
    async def relevance(self) -> float:
        """How well the image answers the query, 0 to 1, calibrated for every query and model.

        It tells how far the score stands out from the scores that the library has for this query
        by chance.
        """
        return await self._relevance()

    @strawberry.field
    async def band(self) -> RelevanceBand:
        """The band of the relevance."""
        return band_of(await self._relevance())

    async def _relevance(self) -> float:
        relevance_by_id: dict[Any, float] = await self.relevance_by_id()
        # An image that was deleted after the page was read has no embedding to score.
        return relevance_by_id.get(self.node.image.id, 0.0)


@strawberry.type
class Stage:
    """A step of a search and its duration."""

    name: str
    """What was done: encode, search or fetch."""
    milliseconds: float
    """How long it took."""


@strawberry.type
class SearchExplanation:
    """How a search was executed."""

    model: str
    """The name of the model that embedded the query."""
    stages: list[Stage] = strawberry.field(
        description="The steps in order: encode, search, fetch. A step that was not needed took 0."
    )
    exact: bool = strawberry.field(
        description="True when every vector was compared, false when an index scan approximated it."
    )
    page: strawberry.Private[SearchPage]

    @strawberry.field
    async def recall(self, info: Info) -> float | None:
        """The share of the exact results at the ranks of this page that the page contains.

        Computed by an exact search, and only when selected. Null when the search was exact.
        """
        info.context.count_searches()
        return await info.context.use_cases.search.recall(self.page)

    @strawberry.field
    async def plan(self, info: Info) -> str:
        """PostgreSQL's plan of the search."""
        return await info.context.use_cases.search.plan(self.page)


@strawberry.type
class ImageSearchConnection:
    """A page of search results, best first."""

    edges: list[ImageSearchEdge]
    """The hits with their scores and cursors, best first."""
    nodes: list[Image]
    """The images of the hits, best first."""
    page_info: PageInfo
    """The cursors of the page's ends, and whether there are pages before and after it."""
    search_id: strawberry.ID = strawberry.field(
        description=(
            "The id of the embedded query, kept for an hour. Send it as `by: {searchId}` to search "
            "again with another filter, without sending the text or file again."
        )
    )
    facets: ImageFacets = strawberry.field(
        description=(
            "Counted over the relevant hits, and only when selected. A hit is relevant from "
            "minRelevance on, or from LIKELY on where minRelevance is omitted."
        )
    )
    page: strawberry.Private[SearchPage]
    # Any: Strawberry cannot read the generic Lazy[list[Hit]].
    relevant_hits: strawberry.Private[Any]

    @classmethod
    def of(cls, page: SearchPage, info: Info) -> "ImageSearchConnection":
        """Convert a page of the domain."""
        # A page of a kept search is scored by the model that made the search.
        search = info.context.use_cases.search.of(page.search)

        async def relevance_by_id() -> dict[Any, float]:
            hits = await search.score(page.search.query, [found.hit for found in page.found])
            return {hit.image_id: hit.relevance or 0.0 for hit in hits}

        relevances = Lazy(relevance_by_id)
        relevant_hits = Lazy(lambda: search.relevant(page))

        async def relevant_ids() -> list[Any]:
            return [hit.image_id for hit in await relevant_hits()]

        edges = [ImageSearchEdge.of(found, relevances) for found in page.found]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.of(
                [edge.cursor for edge in edges],
                has_next=page.has_next,
                has_previous=page.has_previous,
            ),
            search_id=strawberry.ID(str(page.search.id)),
            facets=ImageFacets.over(info.context.use_cases, relevant_ids),
            page=page,
            relevant_hits=relevant_hits,
        )

    @strawberry.field
    async def relevant_count(self) -> int:
        """How many hits are relevant, on all pages. 1,000 means at least 1,000."""
        return len(await self.relevant_hits())

    @strawberry.field
    def explain(self) -> SearchExplanation:
        """How the search was executed, and how close its results are to exact ones."""
        return SearchExplanation(
            model=self.page.search.model,
            stages=[Stage(name=s.name, milliseconds=s.milliseconds) for s in self.page.stages],
            exact=self.page.search.exact,
            page=self.page,
        )
