"""Response bodies: results of operations, and HTTP errors in the shape of GraphQL's errors."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.types import ExecutionResult

from domain.errors import Refusal, Unavailable
from graph.schema.codes import ErrorCode
from graph.schema.errors import code_of

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"

RETRY_LATER = {"Retry-After": "5"}
"""The header of responses with the status 503."""

STATUS_CODES: dict[int, ErrorCode] = {
    HTTPStatus.BAD_REQUEST: ErrorCode.BAD_USER_INPUT,
    HTTPStatus.UNAUTHORIZED: ErrorCode.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: ErrorCode.FORBIDDEN,
    HTTPStatus.NOT_FOUND: ErrorCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorCode.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT: ErrorCode.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorCode.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.MISDIRECTED_REQUEST: ErrorCode.MISDIRECTED_REQUEST,
    HTTPStatus.INTERNAL_SERVER_ERROR: ErrorCode.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE: ErrorCode.SERVICE_UNAVAILABLE,
}
"""The code of an error that is known by its HTTP status only; BAD_USER_INPUT for any other one."""


class CodedHTTPException(HTTPException):
    """An HTTP error whose code says more than its status."""

    def __init__(self, status: HTTPStatus, message: str, code: ErrorCode) -> None:
        super().__init__(status, message)
        self.code = code


# Any: the data has the shape of the query.
def result_body(result: ExecutionResult) -> dict[str, Any]:
    """Return a result as a JSON object. A request error has no key ``data``, not even null."""
    extensions = {"extensions": result.extensions} if result.extensions else {}
    if not result.errors:
        return {"data": result.data, **extensions}
    errors = [error.formatted for error in result.errors]
    if result.data is None and not any(error.path for error in result.errors):
        return {"errors": errors, **extensions}
    return {"errors": errors, "data": result.data, **extensions}


def error_response(
    status: int,
    message: str,
    *,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return a response with one error, in the shape of GraphQL's errors on every route."""
    return JSONResponse(
        error_body(status, message, extensions=extensions),
        status_code=status,
        headers=headers,
        media_type=media_type,
    )


def retry_later_response(error: Refusal | Unavailable) -> Response:
    """Return the response to a request that was refused as a whole and may succeed later."""
    code = code_of(error) if isinstance(error, Refusal) else None
    return error_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        str(error),
        headers={**RETRY_LATER, "Cache-Control": "no-store"},
        extensions={"code": code or ErrorCode.SERVICE_UNAVAILABLE},
    )


def http_error_response(error: HTTPException, *, media_type: str = JSON) -> Response:
    """Return the response to an HTTPException."""
    extensions = {"code": error.code} if isinstance(error, CodedHTTPException) else {}
    return error_response(
        error.status_code,
        error.detail,
        media_type=media_type,
        headers=error.headers,
        extensions=extensions,
    )


def error_body(
    status: int, message: str, *, extensions: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return one error in the shape of GraphQL's errors."""
    code = extensions.get("code") or STATUS_CODES.get(status, ErrorCode.BAD_USER_INPUT)
    return {"errors": [{"message": message, "extensions": {**extensions, "code": code}}]}


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response in place of the application, also to a WebSocket that asks to be opened."""
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.receive()
        await socket.send_denial_response(response)
    else:
        await response(scope, receive, send)


async def http_exception_response(request: Request, error: Exception) -> Response:
    """Return the response to an HTTPException, also to Starlette's own: unknown path or method."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "OPTIONS":
        methods = (error.headers or {}).get("Allow", "")
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": f"{methods}, OPTIONS"})
    if error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        error.detail = f"There is nothing at {request.scope['path']:.100}; the API is at /graphql."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error.detail = f"{request.scope['path']:.100} does not accept {request.method:.20}."
    return http_error_response(error)
