"""Answers to requests that get no further: one sentence and a code, as JSON."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


_CODES = {HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED", HTTPStatus.BAD_REQUEST: "BAD_USER_INPUT"}


def problem(
    status: int,
    message: str,
    *,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer in the shape of GraphQL's errors, whoever asked."""
    code = _CODES.get(HTTPStatus(status), HTTPStatus(status).name)
    error = {"message": message, "extensions": {"code": code}}
    return JSONResponse(
        {"errors": [error]}, status_code=status, headers=headers, media_type=media_type
    )


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette refuses: unknown paths and methods."""
    if not isinstance(error, HTTPException):
        raise error
    message = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and message == HTTPStatus.NOT_FOUND.phrase:
        message = f"There is nothing at {request.scope['path']:.100}; the API is at /graphql."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{request.scope['path']:.100} does not answer {request.method:.20}."
    return problem(error.status_code, message, headers=error.headers)
