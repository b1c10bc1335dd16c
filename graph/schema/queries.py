"""The root fields of queries."""

import asyncio
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from domain.entities.keys import Scope
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import SearchOptions
from graph.schema.arguments import DEFAULT_PAGE_SIZE, After, First, none_if_unset
from graph.schema.context import Info
from graph.schema.duplicates import DuplicateGroupConnection
from graph.schema.facets import ImageFacets
from graph.schema.ids import Node, uuid_of, uuids_of
from graph.schema.image import Filter, ImageSort, criteria_of
from graph.schema.listing import ImageConnection, window_of
from graph.schema.pagination import decode_group_cursor, decode_search_cursor
from graph.schema.search_input import ImageSearchBy
from graph.schema.search_results import Image, ImageSearchConnection
from graph.schema.service import EmbeddingModel, Service

MAX_NODES = 100
"""The most ids of one lookup."""

MinRelevance: TypeAlias = Annotated[
    float | None,
    strawberry.argument(
        description="Leave out hits with a lower relevance, 0 to 1. From 0.5 on a hit is LIKELY."
    ),
]


@strawberry.type
class Query:
    """Reads the library. Where public reading is off, a key with the scope READ is required."""

    @strawberry.field
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - Relay's name
        """The object with this global id; null when there is none."""
        return await _image(info, uuid_of(id, location=("id",)))

    @strawberry.field
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """The objects with these global ids, at most 100, in the same order.

        An id without an object gives null.
        """
        image_ids = uuids_of(ids, location=("ids",), most=MAX_NODES)
        return list(await asyncio.gather(*(_image(info, image_id) for image_id in image_ids)))

    @strawberry.field
    async def image(self, info: Info, id: strawberry.ID) -> Image | None:  # noqa: A002 - Relay's
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
        use_cases = info.context.authorize(Scope.READ)
        where = criteria_of(criteria)
        order = (none_if_unset(sort) or ImageSort()).to_domain()
        window = window_of(
            none_if_unset(first),
            none_if_unset(after),
            last=none_if_unset(last),
            before=none_if_unset(before),
            sort=order,
        )
        page = await use_cases.list(where, order, window)
        facets = ImageFacets.over(use_cases, where)
        return ImageConnection.of(page, criteria=where, sort=order, facets=facets)

    @strawberry.field
    async def search_images(  # noqa: PLR0913 - the options of a search
        self,
        info: Info,
        *,
        by: ImageSearchBy,
        criteria: Filter = strawberry.UNSET,
        min_relevance: MinRelevance = strawberry.UNSET,
        collapse: Annotated[
            Collapse,
            strawberry.argument(
                description="Return only the best hit of each group of duplicates."
            ),
        ] = Collapse.NONE,
        exact: Annotated[
            bool,
            strawberry.argument(
                description="Compare every vector instead of an approximate index scan."
            ),
        ] = False,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = strawberry.UNSET,
    ) -> ImageSearchConnection:
        """Finds images by what they show, best first.

        The 1,000 best hits of a search are kept for an hour. Its pages are cut from them, so no
        image is repeated or skipped while images are added or deleted.
        """
        use_cases = info.context.authorize(Scope.READ)
        query = by.to_domain()
        info.context.count_query(query)
        cursor = none_if_unset(after)
        page = await use_cases.search(
            query,
            SearchOptions(criteria_of(criteria), none_if_unset(min_relevance), collapse, exact),
            first=first,
            after=None if cursor is None else decode_search_cursor(cursor, location=("after",)),
        )
        return ImageSearchConnection.of(page, info)

    @strawberry.field
    async def duplicates(
        self,
        info: Info,
        kind: Annotated[
            Collapse,
            strawberry.argument(
                description="EXACT_COPIES or NEAR_DUPLICATES, which include the exact copies."
            ),
        ] = Collapse.NEAR_DUPLICATES,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = strawberry.UNSET,
    ) -> DuplicateGroupConnection:
        """Groups of duplicates. Groups with the newest image come first.

        A group of more than 100 images is split into parts that follow one another. The oldest
        image of the group comes first in each part. While images are deleted, a group may be
        repeated on a later page, but none is skipped.
        """
        use_cases = info.context.authorize(Scope.READ)
        info.context.count_searches()
        cursor = none_if_unset(after)
        page = await use_cases.duplicates(
            kind=kind,
            first=first,
            after=None if cursor is None else decode_group_cursor(cursor, location=("after",)),
        )
        return DuplicateGroupConnection.of(page)

    @strawberry.field
    def service(self, info: Info) -> Service:
        """The version, the active model and the limits of this server."""
        return Service.of(info.context.authorize(Scope.READ).describe)

    @strawberry.field
    async def models(self, info: Info) -> list[EmbeddingModel]:
        """All models that have or had embeddings in this library. Requires the scope ADMIN."""
        server = info.context.authorize(Scope.ADMIN).describe
        return [EmbeddingModel.of(model) for model in await server.models()]


async def _image(info: Info, image_id: UUID) -> Image | None:
    info.context.authorize(Scope.READ)
    image = await info.context.images.load(image_id)
    return None if image is None else Image.of(image)
