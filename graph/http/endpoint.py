"""GraphQL over HTTP: Strawberry's endpoint, strict about what it reads and how it answers."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from domain import UseCases
from domain.errors import Unauthorized
from graph.http import graphiql
from graph.http.answers import answer_of
from graph.http.auth import key_of, unauthenticated
from graph.http.body import bad_request, bounded, checked, operations_of, parsed_json, read_form
from graph.http.event_stream import EVENT_STREAM, EventStream
from graph.http.options import HttpOptions
from graph.http.problems import GRAPHQL_JSON, JSON, problem
from graph.http.websocket import MAX_MESSAGE, Connection
from graph.schema.context import Context
from graph.schema.schema import Schema

INIT_SECONDS = 10
"""How long a WebSocket may stay without a word."""

_OPERATIONS = {
    "GET": {OperationType.QUERY},
    "POST": {OperationType.QUERY, OperationType.MUTATION},
}
_STREAMED = {
    "GET": {OperationType.QUERY, OperationType.SUBSCRIPTION},
    "POST": set(OperationType),
}
_OUR_FAULTS = {
    "TIMEOUT": HTTPStatus.SERVICE_UNAVAILABLE,
    "INTERNAL_SERVER_ERROR": HTTPStatus.INTERNAL_SERVER_ERROR,
}
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


class Endpoint(GraphQL[Context, None]):
    """``/graphql``: queries by GET, queries and mutations by POST, everything over WebSocket.

    Subscriptions, and whatever else is asked for so, are answered as Server-Sent Events, too. A
    key that is sent must be a good one, even where none is needed.
    """

    graphql_transport_ws_handler_class = Connection

    def __init__(
        self, current: Callable[[], UseCases], options: HttpOptions, *, stopping: asyncio.Event
    ) -> None:
        """Answer for the use cases of the moment, taken once for each operation.

        Until the server is ``stopping``.
        """
        self._schema = Schema()
        super().__init__(
            self._schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=options.max_operations,
            allowed_origins=options.cors_origins,
        )
        self.options = options
        self._current = current
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with every refusal in the shape of GraphQL's errors."""
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except HTTPException as refused:
            response = problem(
                refused.status_code,
                refused.detail,
                media_type=_media_type(request),
                headers=refused.headers,
            )
        await response(scope, receive, send)

    async def get_context(self, request: HTTPConnection, response: Response | WebSocket) -> Context:
        """Return the context of a WebSocket. Who asks is only known when it has said so."""
        del response
        return await self._context(request, key=None)

    async def on_ws_connect(self, context: Context) -> None:
        """Take the key from the connection's payload, or else from its header."""
        said = {name.lower(): value for name, value in context.connection_params.items()}
        given = said.get("authorization", context.authorization)
        try:
            context.caller = await self._current().authenticate(key_of(given))
        except (Unauthorized, HTTPException):
            raise ConnectionRejectionError from None

    def decode_json(self, data: str | bytes) -> object:
        """Parse a message strictly."""
        if len(data) > MAX_MESSAGE:
            raise json.JSONDecodeError("too long", "", 0)
        return parsed_json(data)

    async def _answer(self, request: Request) -> Response:
        try:
            context = await self._context(request, key=key_of(request.headers.get("authorization")))
        except Unauthorized as refusal:
            raise unauthenticated(refusal.message) from None
        if request.method == "GET":
            if (
                "query" not in request.query_params
                and _wants_page(request)
                and self.options.graphiql
            ):
                return graphiql.page(self.options.graphiql_assets)
            return await self._execute(request, _from_address(request), context)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == JSON:
            return await self._execute(request, await self._from_json(request), context)
        if kind == "multipart/form-data":
            async with AsyncExitStack() as stack:
                form = await self._form(request)
                stack.push_async_callback(form.close)
                response = await self._execute(request, operations_of(form), context)
                if isinstance(response, EventStream):
                    # It reads the files when it is sent.
                    response.afterwards(stack.pop_all().aclose)
                return response
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Send application/json, or multipart/form-data where files go along.",
        )

    async def _execute(self, request: Request, data: object, context: Context) -> Response:
        asked = checked(data)
        streams = _prefers_events(request)
        operation: dict[str, Any] = {
            "query": asked["query"],
            "variable_values": asked.get("variables"),
            "operation_name": asked.get("operationName"),
            "context_value": context,
            "allowed_operation_types": (_STREAMED if streams else _OPERATIONS)[request.method],
        }
        try:
            if streams:
                results = await self._schema.stream(**operation)
                return EventStream(results, stopping=self._stopping)
            return _response(await self._schema.execute(**operation), _media_type(request))
        except InvalidOperationTypeError as refused:
            raise _wrong_method(refused.operation_type, request.method) from None

    async def _from_json(self, request: Request) -> object:
        limit, idle = self.options.max_body_bytes, self.options.idle_seconds
        body = b"".join([chunk async for chunk in bounded(request, limit=limit, idle=idle)])
        try:
            return parsed_json(body)
        except json.JSONDecodeError:
            raise bad_request("The body is no JSON that can be read.") from None

    async def _form(self, request: Request) -> FormData:
        limit, idle = self.options.max_request_bytes, self.options.idle_seconds
        return await read_form(
            request,
            bounded(request, limit=limit, idle=idle),
            keep=self._current().describe.max_upload_bytes,
        )

    async def _context(self, connection: HTTPConnection, *, key: str | None) -> Context:
        return Context(
            current=self._current,
            caller=await self._current().authenticate(key),
            request_id=connection.state.request_id,
            base_url=(self.options.public_url or _base_url(connection)).rstrip("/"),
            seconds=self.options.operation_seconds,
            authorization=connection.headers.get("authorization"),
        )


def _from_address(request: Request) -> dict[str, object]:
    asked: dict[str, object] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if text := asked.get(name):
            try:
                asked[name] = parsed_json(str(text))
            except json.JSONDecodeError:
                raise bad_request(f"`{name}` in the address is no JSON.") from None
        else:
            asked.pop(name, None)
    return asked


def _wrong_method(kind: OperationType, method: str) -> HTTPException:
    if kind is OperationType.SUBSCRIPTION:
        return bad_request(
            "Subscriptions are answered over WebSocket (graphql-transport-ws), and as Server-Sent "
            f"Events to who prefers them: “Accept: {EVENT_STREAM}”."
        )
    return HTTPException(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"A {kind.value} cannot be sent by {method}; use POST.",
        {"Allow": "POST"},
    )


def _base_url(connection: HTTPConnection) -> str:
    host = connection.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = connection.scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else name
    return f"{connection.scope['scheme'].replace('ws', 'http')}://{host}"


def _accepted(request: HTTPConnection) -> list[tuple[str, float]]:
    """Return the media types of the Accept header and their weights, in order."""
    found = []
    for entry in request.headers.get("accept", "").lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        found.append((name, float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0))
    return found


def _media_type(request: HTTPConnection) -> str:
    """Return the media type to answer in: GraphQL's own where it is asked for, else JSON."""
    ours = [entry for entry in _accepted(request) if entry[0] in (GRAPHQL_JSON, JSON) and entry[1]]
    return max(ours, key=lambda entry: entry[1], default=(JSON, 1))[0]


def _prefers_events(request: HTTPConnection) -> bool:
    """Tell whether Server-Sent Events are the best that is accepted, and the first of the best.

    Some clients always name them, and mean them for subscriptions only.
    """
    best, weight = max(_accepted(request), key=lambda entry: entry[1])
    return best == EVENT_STREAM and weight > 0


def _wants_page(request: HTTPConnection) -> bool:
    return any(name == "text/html" and weight for name, weight in _accepted(request))


def _response(result: ExecutionResult, media_type: str) -> Response:
    answer = answer_of(result)
    status = HTTPStatus.OK
    if "data" not in answer and media_type == GRAPHQL_JSON:
        code = answer["errors"][0].get("extensions", {}).get("code")
        status = _OUR_FAULTS.get(str(code), HTTPStatus.BAD_REQUEST)
    body = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return Response(body, status, headers, f"{media_type}; charset=utf-8")
