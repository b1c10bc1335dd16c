"""Pages of a listing of images."""

from collections.abc import Sequence

import strawberry

from domain.filters import ImageFilter, Page, Sort, place_of
from graph.cursors import place_cursor
from graph.facets import ImageFacets
from graph.fields import described
from graph.types import Image, Info


@strawberry.type
class PageInfo:
    """Where a page lies."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    @classmethod
    def around(cls, cursors: Sequence[str], *, has_next: bool, has_previous: bool) -> "PageInfo":
        """Return where a page lies whose edges have these cursors."""
        return cls(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


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
    criteria: strawberry.Private[ImageFilter]
    sort: strawberry.Private[Sort]

    @classmethod
    def of(
        cls, page: Page, *, criteria: ImageFilter, sort: Sort, facets: ImageFacets
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
        return place_cursor(place_of(node.image, self.sort), self.sort)
