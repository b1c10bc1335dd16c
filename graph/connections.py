"""Pages of images: of a listing by keyset, of a search by rank."""

import strawberry

from domain.filters import ImageFilter, Page, Sort, place_of
from domain.searches import Found, SearchPage
from graph.cursors import place_cursor, search_cursor
from graph.fields import described
from graph.types import Image, Info


@strawberry.type
class PageInfo:
    """Where a page lies."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class ImageEdge:
    """An image and its place in the listing."""

    cursor: str
    node: Image


@strawberry.type
class ImageConnection:
    """A page of a listing."""

    nodes: list[Image]
    page: strawberry.Private[Page]
    criteria: strawberry.Private[ImageFilter]
    sort: strawberry.Private[Sort]

    @classmethod
    def of(cls, page: Page, *, criteria: ImageFilter, sort: Sort) -> "ImageConnection":
        """Return the domain's page as the API shows it."""
        nodes = [Image.of(image) for image in page.images]
        return cls(nodes=nodes, page=page, criteria=criteria, sort=sort)

    @strawberry.field
    def edges(self) -> list[ImageEdge]:
        """Give each image its cursor."""
        return [ImageEdge(cursor=self._cursor(node), node=node) for node in self.nodes]

    @strawberry.field
    def page_info(self) -> PageInfo:
        """Say where the page lies."""
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            start_cursor=self._cursor(self.nodes[0]) if self.nodes else None,
            end_cursor=self._cursor(self.nodes[-1]) if self.nodes else None,
        )

    @described("Counted only when selected.")
    async def total_count(self, info: Info) -> int:
        """Count what matches."""
        return await info.context.use_cases.list.count(self.criteria)

    def _cursor(self, node: Image) -> str:
        return place_cursor(place_of(node.image, self.sort), self.sort)


@strawberry.type
class ImageSearchEdge:
    """An image that was found."""

    cursor: str
    node: Image
    score: float = strawberry.field(description="Cosine similarity of query and image, -1 to 1.")

    @classmethod
    def of(cls, found: Found) -> "ImageSearchEdge":
        """Return what the domain found as the API shows it."""
        return cls(
            cursor=search_cursor(found.cursor), node=Image.of(found.image), score=found.score
        )


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

    @classmethod
    def of(cls, page: SearchPage) -> "ImageSearchConnection":
        """Return the domain's page as the API shows it."""
        edges = [ImageSearchEdge.of(found) for found in page.found]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=page.has_previous,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
            search_id=strawberry.ID(str(page.search_id)),
        )
