"""Pages of the library: a listing that is filtered, sorted and counted."""

import strawberry

from domain.entities import filters
from domain.entities.listing import Page, Sort, Window, position_of
from domain.errors import InvalidArgument
from graph.schema.arguments import DEFAULT_PAGE_SIZE
from graph.schema.context import Info
from graph.schema.facets import ImageFacets
from graph.schema.pagination import PageInfo, decode_position, encode_position
from graph.schema.search_results import Image


@strawberry.type
class ImageEdge:
    """An image of a listing and its cursor."""

    cursor: str
    node: Image


@strawberry.type
class ImageConnection:
    """A page of a listing."""

    nodes: list[Image]
    facets: ImageFacets = strawberry.field(
        description="Counted over all images that match the filter, and only when selected."
    )
    page: strawberry.Private[Page]
    criteria: strawberry.Private[filters.ImageFilter]
    sort: strawberry.Private[Sort]

    @classmethod
    def of(
        cls, page: Page, *, criteria: filters.ImageFilter, sort: Sort, facets: ImageFacets
    ) -> "ImageConnection":
        """Convert a page of the domain."""
        nodes = [Image.of(image) for image in page.images]
        return cls(nodes=nodes, facets=facets, page=page, criteria=criteria, sort=sort)

    @strawberry.field
    def edges(self) -> list[ImageEdge]:
        """The images with their cursors."""
        return [ImageEdge(cursor=self._cursor(node), node=node) for node in self.nodes]

    @strawberry.field
    def page_info(self) -> PageInfo:
        """The cursors of the page's ends, and whether there are pages before and after it."""
        return PageInfo.of(
            [self._cursor(node) for node in self.nodes],
            has_next=self.page.has_next,
            has_previous=self.page.has_previous,
        )

    @strawberry.field
    async def total_count(self, info: Info) -> int:
        """How many images match the filter. Counted only when selected."""
        return await info.context.use_cases.list.count(self.criteria)

    def _cursor(self, node: Image) -> str:
        return encode_position(position_of(node.image, self.sort), self.sort)


def window_of(
    first: int | None, after: str | None, *, last: int | None, before: str | None, sort: Sort
) -> Window:
    """Return the window of Relay's four arguments. Raises InvalidArgument."""
    if first is not None and last is not None:
        raise InvalidArgument(
            ("last",), "`first` and `last` exclude each other; send only one of them."
        )
    size = first if last is None else last
    return Window(
        size=DEFAULT_PAGE_SIZE if size is None else size,
        after=None if after is None else decode_position(after, sort, location=("after",)),
        before=None if before is None else decode_position(before, sort, location=("before",)),
        from_end=last is not None,
    )
