"""What can be asked."""

import asyncio
from typing import Annotated
from uuid import UUID

import strawberry

from domain.entities.keys import Scope
from domain.entities.listing import Sort, Window
from domain.entities.models import KnownModel, ModelState
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, SearchOptions
from domain.errors import InvalidArgument
from graph.schema.connections import Image, ImageConnection, ImageSearchConnection
from graph.schema.context import Info
from graph.schema.duplicates import DuplicateGroupConnection
from graph.schema.facets import ImageFacets
from graph.schema.fields import described, given
from graph.schema.ids import Node, uuid_of, uuids_of
from graph.schema.image import ImageFilter, ImageSort, criteria_of
from graph.schema.pagination import group_at, position_at, search_at
from graph.schema.search_by import ImageSearchBy

DEFAULT_PAGE = 20
MAX_NODES = 100

strawberry.enum(Collapse)
strawberry.enum(ModelState)


@strawberry.type
class EmbeddingModel:
    """The dual encoder that puts texts and pictures into one space."""

    name: str
    dimensions: int
    state: ModelState
    counted: strawberry.Private[int | None] = None

    @classmethod
    def of(cls, model: KnownModel) -> "EmbeddingModel":
        """Return a model of the library as the API shows it."""
        return cls(
            name=model.name,
            dimensions=model.dimensions,
            state=model.state,
            counted=model.embedded_count,
        )

    @strawberry.field
    async def embedded_count(self, info: Info) -> int:
        """Count the images that it can find."""
        if self.counted is not None:
            return self.counted
        return await info.context.use_cases.describe.embedded_count()


@strawberry.type
class Service:
    """What this server is and accepts."""

    version: str
    model: EmbeddingModel
    max_upload_bytes: int
    max_files_per_request: int
    accepted_content_types: list[str]


@strawberry.type
class Query:
    """The questions."""

    @strawberry.field
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - Relay's name
        """Look one image up."""
        return await _image(info, uuid_of(id, location=("id",)))

    @described("At most 100, in the order asked, null where there is none.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Look several images up at once."""
        wanted = uuids_of(ids, location=("ids",), most=MAX_NODES)
        return list(await asyncio.gather(*(_image(info, image_id) for image_id in wanted)))

    @strawberry.field
    async def image(self, info: Info, id: strawberry.ID) -> Image | None:  # noqa: A002 - Relay's
        """Look one image up."""
        return await _image(info, uuid_of(id, location=("id",)))

    @described("The library, filtered and sorted; keyset cursors.")
    async def images(  # noqa: PLR0913 - Relay's arguments
        self,
        info: Info,
        *,
        first: int | None = strawberry.UNSET,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
        criteria: Annotated[
            ImageFilter | None, strawberry.argument(name="filter")
        ] = strawberry.UNSET,
        sort: ImageSort | None = strawberry.UNSET,
    ) -> ImageConnection:
        """Cut a stretch out of the listing."""
        use_cases = info.context.may(Scope.READ)
        where = criteria_of(criteria)
        order = (given(sort) or ImageSort()).to_domain()
        window = _window(
            given(first), given(after), last=given(last), before=given(before), sort=order
        )
        page = await use_cases.list(where, order, window)
        facets = ImageFacets.over(use_cases, where)
        return ImageConnection.of(page, criteria=where, sort=order, facets=facets)

    @described(
        "Best first. Pages are stable: nothing is repeated or skipped while images come and "
        "go. 1,000 deep at most."
    )
    async def search_images(  # noqa: PLR0913 - what a search is made of
        self,
        info: Info,
        *,
        by: ImageSearchBy,
        criteria: Annotated[
            ImageFilter | None, strawberry.argument(name="filter")
        ] = strawberry.UNSET,
        min_relevance: float | None = strawberry.UNSET,
        collapse: Collapse = Collapse.NONE,
        exact: bool = False,
        first: int = DEFAULT_PAGE,
        after: str | None = strawberry.UNSET,
    ) -> ImageSearchConnection:
        """Find images."""
        use_cases = info.context.may(Scope.READ)
        question = by.to_domain()
        terms = len([*question.terms()]) if isinstance(question, ByBlend) else 1
        info.context.count_searches((terms + 1) // 2)
        cursor = given(after)
        page = await use_cases.search(
            question,
            SearchOptions(criteria_of(criteria), given(min_relevance), collapse, exact),
            first=first,
            after=None if cursor is None else search_at(cursor, location=("after",)),
        )
        return ImageSearchConnection.of(page, info)

    @described(
        "Groups of images that are alike, those with the newest image first. One of over 100 "
        "images comes in parts, one after the other, each led by the oldest image of all. Images "
        "may be deleted meanwhile: no group is missed for that, though one may come twice."
    )
    async def duplicates(
        self,
        info: Info,
        kind: Collapse = Collapse.NEAR_DUPLICATES,
        first: int = DEFAULT_PAGE,
        after: str | None = strawberry.UNSET,
    ) -> DuplicateGroupConnection:
        """Go through the duplicates."""
        use_cases = info.context.may(Scope.READ)
        info.context.count_searches()
        cursor = given(after)
        page = await use_cases.duplicates(
            kind=kind,
            first=first,
            after=None if cursor is None else group_at(cursor, location=("after",)),
        )
        return DuplicateGroupConnection.of(page)

    @strawberry.field
    def service(self, info: Info) -> Service:
        """Describe this server."""
        facts = info.context.may(Scope.READ).describe
        return Service(
            version=facts.version,
            model=EmbeddingModel(
                name=facts.model.name, dimensions=facts.model.dimensions, state=ModelState.ACTIVE
            ),
            max_upload_bytes=facts.max_upload_bytes,
            max_files_per_request=facts.max_files_per_request,
            accepted_content_types=list(facts.accepted_content_types),
        )

    @described("Every model that has or had embeddings here. Needs the scope ADMIN.")
    async def models(self, info: Info) -> list[EmbeddingModel]:
        """List the models."""
        facts = info.context.may(Scope.ADMIN).describe
        return [EmbeddingModel.of(model) for model in await facts.models()]


async def _image(info: Info, image_id: UUID) -> Image | None:
    info.context.may(Scope.READ)
    image = await info.context.images.load(image_id)
    return None if image is None else Image.of(image)


def _window(
    first: int | None, after: str | None, *, last: int | None, before: str | None, sort: Sort
) -> Window:
    """Return the stretch that Relay's arguments mean. Raises InvalidArgument."""
    if first is not None and last is not None:
        raise InvalidArgument(("last",), "`first` and `last` exclude each other; send one of them.")
    size = first if last is None else last
    return Window(
        size=DEFAULT_PAGE if size is None else size,
        after=None if after is None else position_at(after, sort, location=("after",)),
        before=None if before is None else position_at(before, sort, location=("before",)),
        from_end=last is not None,
    )
