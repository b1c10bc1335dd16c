"""GraphQL over HTTP: Strawberry's endpoint, strict about requests and conformant in responses."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import lru_cache
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
from domain.concurrency import may_use_reserve
from domain.errors import Unauthorized
from graph.http import graphiql
from graph.http.auth import key_of, key_of_params, unauthenticated
from graph.http.body import bad_request, graphql_params, limited_body, parse_json
from graph.http.disconnects import run_while_connected
from graph.http.event_stream import EVENT_STREAM, EventStream
from graph.http.forwarded import prefix_of
from graph.http.multipart import (
    MULTIPART,
    FormLimits,
    demand_preflight,
    json_field,
    operations_of,
    read_form,
)
from graph.http.options import HttpOptions
from graph.http.places import Places
from graph.http.responses import GRAPHQL_JSON, JSON, RETRY_LATER, http_error_response, result_body
from graph.http.websocket import MAX_MESSAGE_CHARACTERS, Connection
from graph.schema.codes import ErrorCode
from graph.schema.context import Context
from graph.schema.errors import RETRYABLE_CODES
from graph.schema.schema import Schema

CONNECTION_INIT_TIMEOUT_SECONDS = 10
"""How long a WebSocket may stay open before it sends ``connection_init``."""

ACCEPT_CACHE_SIZE = 100
"""How many values of the header Accept are kept parsed. A request needs its own three times."""

_OPERATION_TYPES = {
    "GET": {OperationType.QUERY},
    "POST": {OperationType.QUERY, OperationType.MUTATION},
}
_STREAMED_OPERATION_TYPES = {
    "GET": {OperationType.QUERY, OperationType.SUBSCRIPTION},
    "POST": set(OperationType),
}
_SERVER_ERRORS = {
    ErrorCode.TIMEOUT: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.INTERNAL_SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class GraphQLEndpoint(GraphQL[Context, None]):
    """``/graphql``: queries by GET, queries and mutations by POST, all operations over WebSocket.

    All operations are also streamed as Server-Sent Events where the client prefers them. An invalid
    key is refused even for operations that need no key.
    """

    graphql_transport_ws_handler_class = Connection

    def __init__(
        self,
        current_use_cases: Callable[[], UseCases],
        options: HttpOptions,
        *,
        stopping: asyncio.Event,
    ) -> None:
        """Take the use cases once for each operation. Setting ``stopping`` ends all streams."""
        self._schema = Schema()
        super().__init__(
            self._schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=CONNECTION_INIT_TIMEOUT_SECONDS),
            max_subscriptions_per_connection=options.max_operations,
            allowed_origins=options.cors_origins,
        )
        self.options = options
        self._current_use_cases = current_use_cases
        self._stopping = stopping
        self._forms = Places(options.max_forms)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a WebSocket. HTTP errors have the shape of GraphQL's errors."""
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except HTTPException as error:
            response = http_error_response(error, media_type=_media_type(request))
        await response(scope, receive, send)

    async def get_context(self, request: HTTPConnection, response: Response | WebSocket) -> Context:
        """Return the context of a WebSocket. ``on_ws_connect`` authenticates its caller."""
        del response
        return await self._context(request, key=None)

    async def on_ws_connect(self, context: Context) -> None:
        """Authenticate by the payload of ``connection_init``, or else by the header."""
        try:
            context.key = key_of_params(context.connection_params, header=context.authorization)
            # As over HTTP, any key may be looked up in the reserve. The key decides about the rest.
            may_use_reserve.set(True)
            await context.authenticate()
        except (Unauthorized, HTTPException):
            raise ConnectionRejectionError from None

    def decode_json(self, data: str | bytes) -> object:
        """Parse a WebSocket message strictly."""
        if len(data) > MAX_MESSAGE_CHARACTERS:
            raise json.JSONDecodeError("too long", "", 0)
        return parse_json(data)

    async def _respond(self, request: Request) -> Response:
        try:
            context = await self._context(request, key=key_of(request.headers.get("authorization")))
        except Unauthorized as refusal:
            raise unauthenticated(refusal.message) from None
        if request.method == "GET":
            if self._wants_graphiql(request):
                return graphiql.page(self.options.graphiql_assets)
            return await self._execute(request, _query_string_params(request), context)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == JSON:
            return await self._execute(request, await self._json(request), context)
        if media_type == MULTIPART:
            demand_preflight(request)
            held = AsyncExitStack()
            # A subscription closes them before it waits for events.
            context.close_files = held.aclose
            async with AsyncExitStack() as stack:
                stack.push_async_callback(held.aclose)
                held.enter_context(self._forms.one(has_key=context.caller.key_name is not None))
                form = await self._form(request, context)
                held.push_async_callback(form.close)
                response = await self._execute(request, operations_of(form), context)
                if isinstance(response, EventStream):
                    # The operation begins with the stream. A query or mutation reads the files
                    # until its end; a subscription closes them once it has started.
                    response.close_afterwards(stack.pop_all().aclose)
                return response
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send {JSON}, or {MULTIPART} for a request with files.",
        )

    def _wants_graphiql(self, request: Request) -> bool:
        accepts_html = any(name == "text/html" and weight for name, weight in _accepted(request))
        return self.options.graphiql and accepts_html and "query" not in request.query_params

    async def _execute(self, request: Request, data: object, context: Context) -> Response:
        params = graphql_params(data)
        context.tells_cost = (params.get("extensions") or {}).get("cost") is True
        streams = _prefers_events(request)
        operation: dict[str, Any] = {
            "query": params["query"],
            "variable_values": params.get("variables"),
            "operation_name": params.get("operationName"),
            "context_value": context,
            "allowed_operation_types": _allowed_types(request),
        }
        try:
            if streams:
                results = await self._schema.stream(**operation)
                return EventStream(results, stopping=self._stopping)
            result = await run_while_connected(
                self._schema.execute(**operation),
                request.receive,
                # A change runs to its end: its client has said all that it needs.
                may_cancel=lambda: context.is_query(params.get("operationName")),
            )
            return _response(result, _media_type(request))
        except InvalidOperationTypeError as error:
            raise _type_not_allowed(error.operation_type, request.method) from None

    async def _json(self, request: Request) -> object:
        chunks = limited_body(
            request,
            max_bytes=self.options.max_body_bytes,
            pace=self.options.pace,
        )
        body = b"".join([chunk async for chunk in chunks])
        try:
            return parse_json(body)
        except json.JSONDecodeError:
            raise bad_request("The body is not valid JSON.") from None

    async def _form(self, request: Request, context: Context) -> FormData:
        chunks = limited_body(
            request, max_bytes=self.options.max_request_bytes, pace=self.options.pace
        )
        types = _allowed_types(request)

        def may_use_files(fields: Mapping[str, str]) -> bool:
            try:
                params = graphql_params(json_field(fields, "operations"))
            except HTTPException:
                # The same error is raised when the form has been read.
                return False
            return self._schema.may_use_files(
                params["query"],
                context_value=context,
                operation_name=params.get("operationName"),
                variable_values=params.get("variables"),
                allowed_operation_types=types,
            )

        describe = self._current_use_cases().describe
        limits = FormLimits(
            describe.max_upload_bytes, describe.max_files_per_request, may_use_files
        )
        return await read_form(request, chunks, limits=limits)

    async def _context(self, connection: HTTPConnection, *, key: str | None) -> Context:
        return Context(
            current_use_cases=self._current_use_cases,
            caller=await self._current_use_cases().authenticate(key),
            request_id=connection.state.request_id,
            base_url=(self.options.public_url or _base_url(connection)).rstrip("/"),
            timeout_seconds=self.options.operation_seconds,
            key=key,
            authorization=connection.headers.get("authorization"),
        )


def _allowed_types(request: Request) -> set[OperationType]:
    types = _STREAMED_OPERATION_TYPES if _prefers_events(request) else _OPERATION_TYPES
    return types[request.method]


def _query_string_params(request: Request) -> dict[str, object]:
    params: dict[str, object] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if text := params.get(name):
            try:
                params[name] = parse_json(str(text))
            except json.JSONDecodeError:
                raise bad_request(f"The URL's parameter `{name}` is not valid JSON.") from None
        else:
            params.pop(name, None)
    return params


def _type_not_allowed(kind: OperationType, method: str) -> HTTPException:
    if kind is OperationType.SUBSCRIPTION:
        return bad_request(
            "A subscription needs a stream: use WebSocket (graphql-transport-ws), or Server-Sent "
            f"Events with the header “Accept: {EVENT_STREAM}”."
        )
    return HTTPException(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"A {kind.value} cannot be sent by {method}; use POST.",
        {"Allow": "POST"},
    )


def _base_url(connection: HTTPConnection) -> str:
    host = connection.headers.get("host")
    if host is None:
        name, port = connection.scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else name
    scheme = connection.scope["scheme"].replace("ws", "http")
    return f"{scheme}://{host}{prefix_of(connection)}"


def _accepted(request: HTTPConnection) -> Sequence[tuple[str, float]]:
    """Return the media types of the Accept header with their weights, in order."""
    return _weighted_types(request.headers.get("accept", ""))


@lru_cache(maxsize=ACCEPT_CACHE_SIZE)
def _weighted_types(accept: str) -> Sequence[tuple[str, float]]:
    found = []
    for entry in accept.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        found.append((name, float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0))
    return tuple(found)


def _media_type(request: HTTPConnection) -> str:
    """Return the media type of the response: GraphQL's own where it is preferred, else JSON."""
    ours = [entry for entry in _accepted(request) if entry[0] in (GRAPHQL_JSON, JSON) and entry[1]]
    return max(ours, key=lambda entry: entry[1], default=(JSON, 1))[0]


def _prefers_events(request: HTTPConnection) -> bool:
    """Tell whether the first of the media types with the highest weight is Server-Sent Events.

    Some clients, urql among them, list it last in every request.
    """
    best, weight = max(_accepted(request), key=lambda entry: entry[1])
    return best == EVENT_STREAM and weight > 0


def _response(result: ExecutionResult, media_type: str) -> Response:
    body = result_body(result)
    status = HTTPStatus.OK
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if _is_refused_for_now(body):
        status = HTTPStatus.SERVICE_UNAVAILABLE
        headers |= RETRY_LATER
    elif "data" not in body and media_type == GRAPHQL_JSON:
        code = body["errors"][0].get("extensions", {}).get("code")
        status = _SERVER_ERRORS.get(code, HTTPStatus.BAD_REQUEST)
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(content, status, headers, f"{media_type}; charset=utf-8")


def _is_refused_for_now(body: dict[str, Any]) -> bool:
    """Tell whether there is no data at all, and a retry of the whole request can succeed."""
    if body.get("data") and any(value is not None for value in body["data"].values()):
        return False
    codes = {error.get("extensions", {}).get("code") for error in body.get("errors", ())}
    return bool(codes) and codes <= RETRYABLE_CODES
