"""The context of an operation: the caller, the use cases, and loaders that its resolvers share."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import strawberry
from graphql import DocumentNode, OperationType, get_operation_ast

from domain import UseCases
from domain.entities.images import Image, Variant
from domain.entities.keys import Caller, Scope
from domain.entities.queries import ByBlend, SearchBy
from domain.errors import InvalidArgument
from domain.use_cases.access import demand
from graph.schema.lazy import Loader

if TYPE_CHECKING:
    from domain.entities.labels import LabelRequest, LabelScore

MAX_SEARCHES = 10
"""The most searches of one operation. Each runs the model or scans the vector index.

The largest blend counts as many.
"""

KEY_CHECK_SECONDS = 10
"""For how long a subscription goes on to send results after its key was revoked."""

TERMS_PER_SEARCH = 2
"""How many terms of a blend count as one search."""


@dataclass
class Context:
    """The state of one operation, or of a WebSocket connection from which operations copy it."""

    current_use_cases: Callable[[], UseCases]
    """Returns the use cases of the active model. The active model can change between calls."""
    caller: Caller
    request_id: str
    base_url: str
    """The public URL of this server, without a trailing slash."""
    timeout_seconds: float = 60
    """The time limit of the operation, or of each result of a subscription."""
    tells_cost: bool = False
    """Whether the answer has the cost of the operation in its extensions."""
    cost: int | None = None
    """The cost of the operation, where it is told."""
    document: DocumentNode | None = None
    """The parsed and validated document."""
    key: str | None = field(default=None, repr=False)
    """The key by which the caller was authenticated."""
    authorization: str | None = field(default=None, repr=False)
    """The header Authorization."""
    connection_params: dict[str, object] = field(default_factory=dict, repr=False)
    """The payload of ``connection_init`` on a WebSocket."""
    authenticated_at: float = field(default_factory=time.monotonic)
    """When the key was last checked, by the monotonic clock."""
    deadline: asyncio.Timeout | None = field(default=None, repr=False)
    """The running timeout of the next result of a subscription."""

    close_files: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Closes the files of the request, and gives back their place. It may be called again."""

    def __post_init__(self) -> None:
        """Start with empty loaders and counters."""
        self._use_cases: UseCases | None = None
        self.images: Loader[UUID, Image | None] = Loader(self._load_images)
        self.labels: Loader[LabelRequest, tuple[LabelScore, ...]] = Loader(self._load_labels)
        self._searches = 0

    @property
    def use_cases(self) -> UseCases:
        """The use cases of one model, from the first access to the end of the operation.

        A connection's own context never accesses them, so an open connection keeps no model loaded.
        """
        if self._use_cases is None:
            self._use_cases = self.current_use_cases()
        return self._use_cases

    def is_query(self, operation_name: str | None) -> bool:
        """Whether the operation of this name is a query, or cannot be executed."""
        if self.document is None:
            return True
        operation = get_operation_ast(self.document, operation_name)
        return operation is None or operation.operation is OperationType.QUERY

    def for_operation(self) -> "Context":
        """Return a copy for another operation on the same connection."""
        return replace(self)

    def pause_deadline(self) -> None:
        """Suspend the timeout while a subscription waits for an event."""
        if self.deadline:
            self.deadline.reschedule(None)

    def start_result(self) -> None:
        """Restart the timeout and empty the loaders for the next result of a subscription."""
        if self.deadline:
            self.deadline.reschedule(asyncio.get_running_loop().time() + self.timeout_seconds)
        self.__post_init__()

    async def authenticate(self) -> None:
        """Authenticate the caller again. Raises Unauthorized where the key was revoked."""
        self.caller = await self.current_use_cases().authenticate(self.key)
        self.authenticated_at = time.monotonic()

    async def check_key(self) -> None:
        """Authenticate again where the last time is KEY_CHECK_SECONDS ago. Raises Unauthorized."""
        if self.key and time.monotonic() - self.authenticated_at >= KEY_CHECK_SECONDS:
            await self.authenticate()

    def authorize(self, scope: Scope) -> UseCases:
        """Return the use cases. Raises Unauthorized where the caller lacks the scope."""
        demand(self.caller, scope)
        return self.use_cases

    def count_query(self, by: SearchBy) -> None:
        """Count the searches of a query: a blend counts as one for every two of its terms."""
        terms = len(by.like) + len(by.unlike) if isinstance(by, ByBlend) else 1
        self.count_searches(-(-terms // TERMS_PER_SEARCH))

    def count_searches(self, number: int = 1) -> None:
        """Count searches of the operation. Raises InvalidArgument past MAX_SEARCHES."""
        self._searches += number
        if self._searches > MAX_SEARCHES:
            raise InvalidArgument(
                ("query",),
                f"One request runs at most {MAX_SEARCHES} searches, and a blend counts as one for "
                f"every {TERMS_PER_SEARCH} of its terms; send several requests.",
            )

    def url_of(self, image_id: UUID, variant: Variant) -> str:
        """Return the URL of a variant of an image."""
        return f"{self.base_url}/images/{image_id}/{variant.value}"

    async def _load_labels(
        self, requests: Sequence["LabelRequest"]
    ) -> list[tuple["LabelScore", ...]]:
        return await self.use_cases.label(requests)

    async def _load_images(self, ids: Sequence[UUID]) -> list[Image | None]:
        images = await self.use_cases.get(ids)
        return [images.get(id_) for id_ in ids]


Info: TypeAlias = strawberry.Info[Context, None]
