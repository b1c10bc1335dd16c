"""Custom scalars: DateTime, URL and Upload."""

from collections.abc import Mapping
from datetime import datetime
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.entities.uploads import Upload

URL = NewType("URL", str)
"""An absolute URL."""


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


def _serialize_upload(value: object) -> object:
    raise GraphQLError(f"An Upload is an input and cannot be returned: {value!r:.40}.")


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An ISO 8601 instant with an offset.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=datetime.isoformat,
        parse_value=_parse_datetime,
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
