"""GraphQL over WebSocket (graphql-transport-ws), strict about malformed messages."""

from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    SubscribeMessage,
)

from domain.errors import Overloaded, Unauthorized, Unavailable
from graph.schema.context import Context
from graph.schema.errors import log_outage, mask_errors

FORBIDDEN = 4403
"""The code of graphql-ws that closes a connection whose key is not accepted."""

TRY_AGAIN_LATER = 1013
"""The standard code that closes a connection whose key cannot be checked at the moment."""

MAX_MESSAGE_CHARACTERS = 64 * 1024
"""Enough for the longest query with its variables."""


class Connection(BaseGraphQLTransportWSHandler[Context, None]):
    """The connection of one client. A malformed message closes it with code 4400."""

    async def handle_message(self, message: Any) -> None:  # noqa: ANN401 - JSON of a client
        """Handle a message, or close the connection where it is malformed."""
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("The message does not have the fields of its type")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Authenticate the client, or close the connection during an outage."""
        try:
            await super().handle_connection_init(message)
        except (Overloaded, Unavailable) as outage:
            if isinstance(outage, Unavailable):
                log_outage(outage, request_id=self.context.request_id)
            await self.websocket.close(code=TRY_AGAIN_LATER, reason="Try again later")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, or close the connection where its key was revoked."""
        if self.connection_acknowledged and self.context.key:
            try:
                await self.context.authenticate()
            except Unauthorized:
                await self.websocket.close(code=FORBIDDEN, reason="Forbidden")
                return
            except Exception as error:  # noqa: BLE001 - an outage fails the operation only
                errors = mask_errors(
                    [GraphQLError(str(error), original_error=error)],
                    caller=self.context.caller,
                    request_id=self.context.request_id,
                )
                payload = [each.formatted for each in errors]
                await self.send_message({"id": message["id"], "type": "error", "payload": payload})
                return
        await super().handle_subscribe(message)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        # A syntax error fails one operation. Strawberry would close the connection with all others.
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
