"""What can be watched."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Annotated, TypeVar

import strawberry

from domain.entities.keys import Scope
from domain.entities.queries import ByBlend, SearchOptions
from graph.schema.connections import Image, ImageSearchEdge
from graph.schema.context import Context, Info
from graph.schema.fields import given, streamed
from graph.schema.ids import uuids_of
from graph.schema.image import ImageFilter, criteria_of
from graph.schema.search_by import ImageSearchBy

T = TypeVar("T")


async def _each(
    watching: AbstractAsyncContextManager[AsyncIterator[T]], context: Context
) -> AsyncGenerator[T]:
    """Yield what is watched. Waiting takes as long as it takes; beginning and answering do not."""
    async with watching as watched:
        context.rest()
        async for each in watched:
            context.resume()
            yield each
            context.rest()


@strawberry.type
class Subscription:
    """What goes on until it ends by itself, the client ends it, or the server does.

    Whoever may read when it begins may go on, even if their key is revoked meanwhile.
    """

    @streamed(
        "Each image as it is now, then each time its status changes; ends when all are READY or "
        "FAILED."
    )
    async def image_status_changed(
        self, info: Info, image_ids: list[strawberry.ID]
    ) -> AsyncGenerator[Image]:
        """Watch images; those that are deleted meanwhile are waited for no longer."""
        use_cases = info.context.may(Scope.READ)
        watching = use_cases.watch_status(uuids_of(image_ids, location=("image_ids",)))
        async with aclosing(_each(watching, info.context)) as images:
            async for image in images:
                yield Image.of(image)

    @streamed("Images that match as they become READY: a live search.")
    async def image_matched(
        self,
        info: Info,
        *,
        by: ImageSearchBy,
        criteria: Annotated[
            ImageFilter | None, strawberry.argument(name="filter")
        ] = strawberry.UNSET,
        min_relevance: float | None = strawberry.UNSET,
    ) -> AsyncGenerator[ImageSearchEdge]:
        """Search what becomes READY from now on."""
        use_cases = info.context.may(Scope.READ)
        question = by.to_domain()
        terms = len([*question.terms()]) if isinstance(question, ByBlend) else 1
        info.context.count_searches((terms + 1) // 2)
        narrowing = SearchOptions(criteria_of(criteria), given(min_relevance))
        watching = use_cases.watch_matches(question, narrowing)
        async with aclosing(_each(watching, info.context)) as matches:
            async for match in matches:
                yield ImageSearchEdge.live(match)
