"""The root type of subscriptions, and its fields."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Annotated, TypeVar

import strawberry

from domain.entities.keys import Scope
from domain.entities.queries import SearchOptions
from graph.schema.arguments import none_if_unset
from graph.schema.context import Context, Info
from graph.schema.ids import uuids_of
from graph.schema.image import Filter, criteria_of
from graph.schema.search import ImageSearchBy
from graph.schema.search_results import Image, ImageSearchEdge

T = TypeVar("T")


async def _stream(
    source: AbstractAsyncContextManager[AsyncIterator[T]], context: Context
) -> AsyncGenerator[T]:
    """Yield items. The time limit applies to the start and to each result, not to the waiting.

    The files of the request are read at the start, and closed after it.
    """
    async with source as items:
        if context.close_files:
            await context.close_files()
        context.pause_deadline()
        async for item in items:
            context.start_result()
            yield item
            context.pause_deadline()


@strawberry.type
class Subscription:
    """Streams changes of the library over WebSocket or Server-Sent Events.

    The scope READ is checked when a subscription starts. A subscription sends no result later than
    10 seconds after its key was revoked, and ends with an error instead.
    """

    @strawberry.subscription
    async def image_status_changed(
        self,
        info: Info,
        image_ids: Annotated[
            list[strawberry.ID], strawberry.argument(description="At most 100 ids of images.")
        ],
    ) -> AsyncGenerator[Image]:
        """Each image as it is now, then again whenever its status changes.

        Ends when every image is READY, FAILED or deleted.
        """
        use_cases = info.context.authorize(Scope.READ)
        source = use_cases.watch_status(uuids_of(image_ids, location=("image_ids",)))
        async with aclosing(_stream(source, info.context)) as images:
            async for image in images:
                yield Image.of(image)

    @strawberry.subscription
    async def image_matched(
        self,
        info: Info,
        *,
        by: ImageSearchBy,
        criteria: Filter = strawberry.UNSET,
        min_relevance: Annotated[
            float | None,
            strawberry.argument(
                description="Leave out images with a lower relevance, 0 to 1. 0.5 where omitted."
            ),
        ] = strawberry.UNSET,
    ) -> AsyncGenerator[ImageSearchEdge]:
        """A live search: the images that match, each once, as they become READY."""
        use_cases = info.context.authorize(Scope.READ)
        query = by.to_domain()
        info.context.count_query(query)
        options = SearchOptions(criteria_of(criteria), none_if_unset(min_relevance))
        source = use_cases.watch_matches(query, options)
        async with aclosing(_stream(source, info.context)) as matches:
            async for match in matches:
                yield ImageSearchEdge.live(match)
