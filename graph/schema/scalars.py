"""Custom scalars: DateTime, URL and Upload."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NewType

import strawberry
from graphql import (
    GraphQLError,
    GraphQLInt,
    GraphQLNamedType,
    GraphQLScalarType,
    IntValueNode,
    ValueNode,
)
from strawberry.types.scalar import ScalarDefinition

from domain.entities.uploads import Upload

URL = NewType("URL", str)
"""An absolute URL."""

LocalDateTime = NewType("LocalDateTime", datetime)
"""Date and time of a clock, without an offset."""

MAX_EXACT_INTEGER = 2**53 - 1
"""The largest integer that JSON's numbers hold exactly in every language."""


def _parse_datetime(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise GraphQLError(
            f"{value!r:.40} is not an ISO 8601 instant; write it like 2026-05-04T10:00:00Z."
        )
    if instant.utcoffset() is None:
        raise GraphQLError(f"{value!r:.40} has no offset; append Z or +01:00.")
    return instant


def _parse_local_datetime(value: object) -> LocalDateTime:
    try:
        local = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        local = None
    if local is None:
        raise GraphQLError(
            f"{value!r:.40} is not an ISO 8601 time; write it like 2026-05-04T10:00:00."
        )
    if local.utcoffset() is not None:
        raise GraphQLError(f"{value!r:.40} has an offset; a local time is without.")
    return LocalDateTime(local)


def _serialize_datetime(instant: datetime) -> str:
    # With exactly three digits, as the specification has it, and parsers of some languages need it.
    return instant.isoformat(timespec="milliseconds")


def _parse_url(value: object) -> URL:
    if not isinstance(value, str):
        raise GraphQLError("A URL is a string.")
    return URL(value)


def _parse_upload(value: object) -> Upload:
    if not isinstance(value, Upload):
        raise GraphQLError(
            "An Upload is a file; send it as the GraphQL multipart request specification says."
        )
    return value


def _parse_int(value: object) -> int:
    """Return a whole number. A number beyond 32 bits is left to the field that it is for.

    A file of 3 GB is then refused as one that is too large, and its neighbours are not.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_EXACT_INTEGER:
        return value
    number: int = GraphQLInt.parse_value(value)
    return number


def _parse_int_literal(node: ValueNode, variables: dict[str, object] | None = None) -> int:
    if isinstance(node, IntValueNode) and len(node.value) <= len(str(-MAX_EXACT_INTEGER)):
        return _parse_int(int(node.value))
    number: int = GraphQLInt.parse_literal(node, variables)
    return number


class _WideInt(GraphQLScalarType):
    """GraphQL's Int for inputs that are wider. graphql-core reserves the name."""

    reserved_types: Mapping[str, GraphQLNamedType] = MappingProxyType({})


WIDE_INT = _WideInt(
    name="Int",
    description=GraphQLInt.description,
    serialize=GraphQLInt.serialize,
    parse_value=_parse_int,
    parse_literal=_parse_int_literal,
)


def _serialize_upload(value: object) -> object:
    raise GraphQLError(f"An Upload is an input and cannot be returned: {value!r:.40}.")


SCALARS: Mapping[object, ScalarDefinition] = {
    int: ScalarDefinition(
        name=WIDE_INT.name,
        description=WIDE_INT.description,
        specified_by_url=None,
        serialize=WIDE_INT.serialize,
        parse_value=_parse_int,
        parse_literal=_parse_int_literal,
        implementation=WIDE_INT,
        origin=WIDE_INT,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "An ISO 8601 instant with an offset. Answers have three digits of a second always, "
            "inputs as many as they like."
        ),
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=_serialize_datetime,
        parse_value=_parse_datetime,
    ),
    LocalDateTime: strawberry.scalar(
        name="LocalDateTime",
        description=(
            "A date and time of a clock in ISO 8601, without an offset: 2026-05-04T10:00:00. "
            "A date alone is read as its midnight."
        ),
        serialize=datetime.isoformat,
        parse_value=_parse_local_datetime,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An absolute URL.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3986",
        serialize=str,
        parse_value=_parse_url,
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description=(
            "A file, sent as the GraphQL multipart request specification describes. "
            "Any other value is refused."
        ),
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=_serialize_upload,
        parse_value=_parse_upload,
    ),
}
