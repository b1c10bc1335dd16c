"""What the resolvers of one operation share."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import strawberry
from graphql import DocumentNode
from strawberry.dataloader import DataLoader

from domain import UseCases
from domain.entities.images import Image, Variant
from domain.entities.keys import Caller, Scope
from domain.errors import InvalidArgument
from domain.use_cases.access import demand

if TYPE_CHECKING:
    from domain.entities.labels import LabelRequest, LabelScore

MAX_SEARCHES = 10
"""How many searches one operation may run: each is a run of the model or a walk of the index.

As many as the largest blend counts for."""


@dataclass
class Context:
    """Who asks, under which request id, and what was looked up for it already."""

    current: Callable[[], UseCases]
    """What can be done at a moment: by another model, maybe, than before."""
    caller: Caller
    request_id: str
    base_url: str
    """Where this server is reached, without a slash at the end."""
    seconds: float = 60
    """How long one operation may take."""
    document: DocumentNode | None = None
    """What is asked, parsed and found valid."""
    authorization: str | None = field(default=None, repr=False)
    """The header of that name."""
    connection_params: dict[str, object] = field(default_factory=dict, repr=False)
    """What a WebSocket client said at its beginning."""
    deadline: asyncio.Timeout | None = field(default=None, repr=False)
    """What bounds the work on the next result of a subscription."""

    def __post_init__(self) -> None:
        """Start with nothing looked up."""
        self._taken: UseCases | None = None
        self.images: DataLoader[UUID, Image | None] = DataLoader(self._load)
        self.labels: DataLoader[LabelRequest, tuple[LabelScore, ...]] = DataLoader(self._label)
        self._searches = 0

    @property
    def use_cases(self) -> UseCases:
        """What can be done by one model, from when it is first asked for to the operation's end.

        The context of a connection asks for nothing, and so keeps no model for as long as it lasts.
        """
        if self._taken is None:
            self._taken = self.current()
        return self._taken

    def renewed(self) -> "Context":
        """Return the context of another operation on the same connection."""
        return replace(self)

    def rest(self) -> None:
        """Let a subscription wait for as long as it takes, until ``resume``."""
        if self.deadline:
            self.deadline.reschedule(None)

    def resume(self) -> None:
        """Begin another answer of a subscription: in its own time, with nothing looked up."""
        if self.deadline:
            self.deadline.reschedule(asyncio.get_running_loop().time() + self.seconds)
        self.__post_init__()

    def may(self, scope: Scope) -> UseCases:
        """Return what can be done, to a caller who may. Raises Unauthorized."""
        demand(self.caller, scope)
        return self.use_cases

    def count_searches(self, number: int = 1) -> None:
        """Raise InvalidArgument for one search too many."""
        self._searches += number
        if self._searches > MAX_SEARCHES:
            raise InvalidArgument(
                ("query",),
                f"One request runs at most {MAX_SEARCHES} searches, and a blend counts as one for "
                "every two of its terms; send another request.",
            )

    def url_of(self, image_id: UUID, variant: Variant) -> str:
        """Return the address of one form of an image."""
        return f"{self.base_url}/images/{image_id}/{variant.value}"

    async def _label(self, asked: Sequence["LabelRequest"]) -> list[tuple["LabelScore", ...]]:
        return await self.use_cases.label(asked)

    async def _load(self, ids: Sequence[UUID]) -> list[Image | None]:
        here = await self.use_cases.get(ids)
        return [here.get(id_) for id_ in ids]


Info: TypeAlias = strawberry.Info[Context, None]
