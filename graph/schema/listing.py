"""The library: lookups by id, and listings that are filtered, sorted and counted."""

import asyncio
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from domain.entities import filters
from domain.entities.keys import Scope
from domain.entities.listing import Page, Sort, Window, position_of
from domain.errors import InvalidArgument
from domain.use_cases.library.browse import scope_to_list
from graph.schema.arguments import DEFAULT_PAGE_SIZE, After, none_if_unset
from graph.schema.context import Info
from graph.schema.facets import ImageFacets
from graph.schema.ids import Node, uuid_of, uuids_of
from graph.schema.image import Filter, ImageSort, criteria_of
from graph.schema.pagination import PageInfo, decode_position, encode_position
from graph.schema.search_results import Image

MAX_NODES = 100
"""The most ids of one lookup."""

ImageId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description="A global id that this API returned.")
]


@strawberry.type
class ImageEdge:
    """An image of a listing and its cursor."""

    cursor: str
    """The place of the image in its listing."""
    node: Image
    """The image."""


@strawberry.type
class ImageConnection:
    """A page of a listing."""

    nodes: list[Image]
    """The images of the page, in order."""
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


@strawberry.type
class LibraryQuery:
    """The root fields that read images of the library."""

    @strawberry.field
    async def node(self, info: Info, id: ImageId) -> Node | None:  # noqa: A002 - Relay's name
        """The object with this global id; null when there is none."""
        return await _image(info, uuid_of(id, location=("id",)))

    @strawberry.field
    async def nodes(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description=f"Global ids, at most {MAX_NODES}."),
        ],
    ) -> list[Node | None]:
        """The objects with these global ids, at most 100, in the same order.

        An id without an object gives null.
        """
        image_ids = uuids_of(ids, location=("ids",), most=MAX_NODES)
        return list(await asyncio.gather(*(_image(info, image_id) for image_id in image_ids)))

    @strawberry.field
    async def image(self, info: Info, id: ImageId) -> Image | None:  # noqa: A002 - Relay's name
        """The image with this id; null when there is none."""
        return await _image(info, uuid_of(id, location=("id",)))

    @strawberry.field
    async def images(  # noqa: PLR0913 - Relay's arguments
        self,
        info: Info,
        *,
        first: Annotated[
            int | None,
            strawberry.argument(
                description=(
                    f"The page size, 0 to 100, from the start; {DEFAULT_PAGE_SIZE} where both "
                    "`first` and `last` are omitted."
                )
            ),
        ] = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Annotated[
            int | None,
            strawberry.argument(description="The page size, 0 to 100, from the end."),
        ] = strawberry.UNSET,
        before: Annotated[
            str | None,
            strawberry.argument(description="A cursor. The page ends right before it."),
        ] = strawberry.UNSET,
        criteria: Filter = strawberry.UNSET,
        sort: ImageSort | None = strawberry.UNSET,
    ) -> ImageConnection:
        """The library, filtered and sorted, the newest image first by default.

        Pages use keyset cursors: a page stays where it is when images are added or deleted.
        """
        where = criteria_of(criteria)
        use_cases = info.context.authorize(scope_to_list(where))
        order = (none_if_unset(sort) or ImageSort()).to_domain()
        window = _window(
            none_if_unset(first),
            none_if_unset(after),
            last=none_if_unset(last),
            before=none_if_unset(before),
            sort=order,
        )
        page = await use_cases.list(where, order, window)
        facets = ImageFacets.over(use_cases, where)
        return ImageConnection.of(page, criteria=where, sort=order, facets=facets)


def _window(
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


async def _image(info: Info, image_id: UUID) -> Image | None:
    info.context.authorize(Scope.READ)
    image = await info.context.images.load(image_id)
    return None if image is None else Image.of(image)
