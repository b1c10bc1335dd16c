"""GraphQL over WebSocket (graphql-transport-ws): Strawberry's, deaf to malformed messages."""

from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)

from graph.schema.context import Context

MAX_MESSAGE = 64 * 1024
"""In characters: a query, its variables, and some."""


class Connection(BaseGraphQLTransportWSHandler[Context, None]):
    """One client's connection. What is malformed closes it with 4400."""

    async def handle_message(self, message: Any) -> None:  # noqa: ANN401 - JSON of a client
        """Act on a message of the right shape."""
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("The message has not the shape of its type")

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        # What cannot be read is an error of one operation, and the connection has others.
        if isinstance(error, GraphQLSyntaxError):
            return None
        handler = BaseGraphQLTransportWSHandler[Context, None]
        return handler._get_pre_execution_close_reason(error)  # noqa: SLF001 - what is overridden


def _is_well_formed(message: Any) -> bool:  # noqa: ANN401 - JSON of a client
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] == "connection_init":
        return isinstance(message.get("payload", {}), dict | None)
    if message["type"] == "complete":
        return isinstance(message.get("id"), str)
    if message["type"] != "subscribe":
        return True
    payload = message.get("payload")
    return (
        isinstance(message.get("id"), str)
        and isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
