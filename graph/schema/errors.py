"""Errors as clients see them: refusals with a code, and bugs masked and logged."""

import logging
from collections.abc import Sequence

from graphql import GraphQLError

from domain import errors
from domain.entities.keys import Caller
from domain.errors import Location, Refusal
from graph.schema.codes import ErrorCode
from graph.schema.spelling import camel_case

logger = logging.getLogger("pictograph")

MAX_ERRORS = 5
"""The most errors of one result."""

MASKED_MESSAGE = "Internal server error"

RETRYABLE_CODES = {ErrorCode.OVERLOADED, ErrorCode.SERVICE_UNAVAILABLE}
"""Codes of errors after which the same request can succeed later."""

REFUSAL_CODES: dict[type[Refusal], ErrorCode] = {
    errors.InvalidArgument: ErrorCode.BAD_USER_INPUT,
    errors.ImageNotFound: ErrorCode.NOT_FOUND,
    errors.ImageProcessing: ErrorCode.IMAGE_PROCESSING,
    errors.SearchExpired: ErrorCode.SEARCH_EXPIRED,
    errors.Overloaded: ErrorCode.OVERLOADED,
    errors.UnsupportedFormat: ErrorCode.UNSUPPORTED_FORMAT,
    errors.TooLarge: ErrorCode.TOO_LARGE,
    errors.TooManyPixels: ErrorCode.TOO_MANY_PIXELS,
    errors.InvalidContent: ErrorCode.INVALID_CONTENT,
    errors.TooManyFiles: ErrorCode.TOO_MANY_FILES,
    errors.TargetNotFound: ErrorCode.TARGET_NOT_FOUND,
}


QUERY_FIELDS = {"text", "image", "image_id", "search_id", "blend"}
"""Locations that begin with these are part of the argument ``by``."""


def code_of(refusal: Refusal) -> ErrorCode | None:
    """Return the code of a refusal; None for a refusal that a request cannot cause."""
    return REFUSAL_CODES.get(type(refusal))


def log_outage(outage: errors.Unavailable, *, request_id: str) -> None:
    """Log an outage in one line, with its cause."""
    logger.warning("request %s: %s", request_id, outage.with_cause)


def argument_of(location: Location) -> str:
    """Return the path of the argument at a location, as ``by.blend.like.2.weight``."""
    root = ["by"] if location[0] in QUERY_FIELDS else []
    return ".".join([*root, *map(camel_case, location)])


def input_path(location: Location) -> list[str]:
    """Return the path of the field of a mutation's input at a location."""
    return ["input", *map(camel_case, location)]


def mask_errors(
    raised: Sequence[GraphQLError], *, caller: Caller, request_id: str
) -> list[GraphQLError]:
    """Return at most MAX_ERRORS errors for the client.

    Of all errors, the first bug and the first outage are logged.
    """
    causes = [_cause_of(error) for error in raised]
    bugs = [cause for cause in causes if cause is not None and not _is_expected(cause)]
    outages = [cause for cause in causes if isinstance(cause, errors.Unavailable)]
    if outages:
        log_outage(outages[0], request_id=request_id)
    if bugs:
        logger.error("request %s failed with %d errors", request_id, len(bugs), exc_info=bugs[0])
    return [
        coded(error, ErrorCode.BAD_USER_INPUT)
        if cause is None
        else _formatted(error, cause, caller=caller, request_id=request_id)
        for error, cause in zip(raised[:MAX_ERRORS], causes, strict=False)
    ]


def coded(error: GraphQLError, code: ErrorCode) -> GraphQLError:
    """Return an error of GraphQL itself with a code, unless it has one."""
    error.extensions = {"code": code, **(error.extensions or {})}
    return error


def _cause_of(error: GraphQLError) -> Exception | None:
    """Return the exception that a resolver raised; None for an error of GraphQL itself."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _is_expected(cause: Exception) -> bool:
    # A refusal without a code, such as Misconfigured, is the operator's to fix.
    return isinstance(cause, errors.Unauthorized | errors.Unavailable) or (
        isinstance(cause, Refusal) and code_of(cause) is not None
    )


def _formatted(
    error: GraphQLError, cause: Exception, *, caller: Caller, request_id: str
) -> GraphQLError:
    message = MASKED_MESSAGE
    extensions: dict[str, str] = {
        "code": ErrorCode.INTERNAL_SERVER_ERROR,
        "requestId": request_id,
    }
    if isinstance(cause, errors.Unauthorized):
        code = ErrorCode.FORBIDDEN if caller.key_name else ErrorCode.UNAUTHENTICATED
        message, extensions = cause.message, {"code": code}
    elif isinstance(cause, errors.Unavailable):
        message = str(cause)
        extensions["code"] = ErrorCode.SERVICE_UNAVAILABLE
    elif isinstance(cause, Refusal) and (known := code_of(cause)):
        message, extensions = cause.message, {"code": known}
        if cause.location:
            extensions["argument"] = argument_of(cause.location)
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)
