"""What clients are told when something goes wrong: refusals as they are, bugs behind a mask."""

import logging
from collections.abc import Sequence

from graphql import GraphQLError

from domain import errors
from domain.entities.keys import Caller
from domain.errors import Location, Refusal

logger = logging.getLogger("pictograph")

MAX_ERRORS = 5
MASK = "Internal server error"

_CODES: dict[type[Refusal], str] = {
    errors.InvalidArgument: "BAD_USER_INPUT",
    errors.ImageNotFound: "NOT_FOUND",
    errors.SearchExpired: "SEARCH_EXPIRED",
    errors.Overloaded: "OVERLOADED",
    errors.UnsupportedFormat: "UNSUPPORTED_FORMAT",
    errors.TooLarge: "TOO_LARGE",
    errors.TooManyPixels: "TOO_MANY_PIXELS",
    errors.InvalidContent: "INVALID_CONTENT",
    errors.TooManyFiles: "TOO_MANY_FILES",
    errors.TargetNotFound: "TARGET_NOT_FOUND",
}


QUERY_FIELDS = {"text", "image", "image_id", "search_id", "blend"}
"""Locations that begin with these are part of the argument ``by``."""


def code_of(refusal: Refusal) -> str | None:
    """Return the code that programs tell a refusal by; None for one that no request causes."""
    return _CODES.get(type(refusal))


def argument_of(location: Location) -> str:
    """Return the path of the argument at a location, as ``by.blend.like.2.weight``."""
    root = ["by"] if location[0] in QUERY_FIELDS else []
    return ".".join([*root, *map(_camel_case, location)])


def input_path(location: Location) -> list[str]:
    """Return the path of the field of a mutation's input at a location."""
    return ["input", *map(_camel_case, location)]


def _camel_case(name: str | int) -> str:
    first, *rest = str(name).split("_")
    return first + "".join(word.title() for word in rest)


def present(
    found: Sequence[GraphQLError], *, caller: Caller, request_id: str
) -> list[GraphQLError]:
    """Return at most five errors fit for clients, and log what is our fault, once."""
    causes = [_cause(error) for error in found]
    bugs = [cause for cause in causes if cause is not None and not _is_answer(cause)]
    if bugs:
        logger.error("request %s failed in %d places", request_id, len(bugs), exc_info=bugs[0])
    return [
        error if cause is None else _shown(error, cause, caller=caller, request_id=request_id)
        for error, cause in zip(found[:MAX_ERRORS], causes, strict=False)
    ]


def _cause(error: GraphQLError) -> Exception | None:
    """Return what a resolver raised; None for what GraphQL itself objects to."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _is_answer(cause: Exception) -> bool:
    """Tell whether a request can cause this. A server set up wrongly is no request's fault."""
    return isinstance(cause, errors.Unauthorized) or (
        isinstance(cause, Refusal) and code_of(cause) is not None
    )


def _shown(
    error: GraphQLError, cause: Exception, *, caller: Caller, request_id: str
) -> GraphQLError:
    message, extensions = MASK, {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}
    if isinstance(cause, errors.Unauthorized):
        code = "FORBIDDEN" if caller.key_name else "UNAUTHENTICATED"
        message, extensions = cause.message, {"code": code}
    elif isinstance(cause, Refusal) and (known := code_of(cause)):
        message, extensions = cause.message, {"code": known}
        if cause.location:
            extensions["argument"] = argument_of(cause.location)
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)
