"""The server's version, limits and models, and their root fields."""

import strawberry

from domain.entities.keys import Scope
from domain.entities.models import KnownModel, ModelState
from domain.use_cases.library.describe import DescribeServer
from graph.schema.context import Info

strawberry.enum(
    ModelState,
    description=(
        "What the embeddings of a model are used for. Searches use the one ACTIVE model. A "
        "BACKFILLING model is still embedding the library, a READY one can be promoted, and a "
        "RETIRED one is no longer kept up to date."
    ),
)


@strawberry.type
class EmbeddingModel:
    """A dual encoder that embeds texts and pictures into one vector space."""

    name: str
    """The name on the model hub, or of a folder."""
    dimensions: int
    """The number of components of an embedding."""
    state: ModelState
    """What the model is used for."""
    counted: strawberry.Private[int | None] = None

    @classmethod
    def of(cls, model: KnownModel) -> "EmbeddingModel":
        """Convert a model of the library."""
        return cls(
            name=model.name,
            dimensions=model.dimensions,
            state=model.state,
            counted=model.embedded_count,
        )

    @strawberry.field
    async def embedded_count(self, info: Info) -> int:
        """How many images the model has embedded."""
        if self.counted is not None:
            return self.counted
        return await info.context.use_cases.describe.embedded_count()


@strawberry.type
class Service:
    """The version, the active model and the limits of this server."""

    version: str
    """The version of Pictograph."""
    model: EmbeddingModel
    """The model that searches use."""
    max_upload_bytes: int
    """The most bytes of one file."""
    max_files_per_request: int
    """The most files of one `uploadImages`."""
    accepted_content_types: list[str]
    """The media types of the formats that can become images."""
    trash_days: int = strawberry.field(
        description="Days that deleted images can be restored. 0: they are deleted for good."
    )

    @classmethod
    def of(cls, server: DescribeServer) -> "Service":
        """Convert the description of the server."""
        return cls(
            version=server.version,
            model=EmbeddingModel(
                name=server.model.name, dimensions=server.model.dimensions, state=ModelState.ACTIVE
            ),
            max_upload_bytes=server.max_upload_bytes,
            max_files_per_request=server.max_files_per_request,
            accepted_content_types=list(server.accepted_content_types),
            trash_days=server.trash_lifetime.days,
        )


@strawberry.type
class ServiceQuery:
    """The root fields about the server."""

    @strawberry.field
    def service(self, info: Info) -> Service:
        """The version, the active model and the limits of this server."""
        return Service.of(info.context.authorize(Scope.READ).describe)

    @strawberry.field
    async def models(self, info: Info) -> list[EmbeddingModel]:
        """All models that have or had embeddings in this library. Requires the scope ADMIN."""
        server = info.context.authorize(Scope.ADMIN).describe
        return [EmbeddingModel.of(model) for model in await server.models()]
