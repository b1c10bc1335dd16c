"""The scalars that GraphQL has not: instants, addresses, and files."""

from collections.abc import Mapping
from datetime import datetime
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.entities.uploads import Upload

URL = NewType("URL", str)
"""An absolute URL."""


def _instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise GraphQLError(f"{value!r:.40} is no ISO 8601 instant; write 2026-05-04T10:00:00Z.")
    if instant.utcoffset() is None:
        raise GraphQLError(f"{value!r:.40} has no offset; append Z or +01:00.")
    return instant


def _url(value: object) -> URL:
    if not isinstance(value, str):
        raise GraphQLError("An address is a string.")
    return URL(value)


def _upload(value: object) -> Upload:
    if not isinstance(value, Upload):
        raise GraphQLError(
            "An Upload is a file; send it as the GraphQL multipart request specification says."
        )
    return value


def _no_file(value: object) -> object:
    raise GraphQLError(f"A file goes in and never out, {value!r:.40} does not.")


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An ISO 8601 instant with an offset.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=datetime.isoformat,
        parse_value=_instant,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An absolute URL.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3986",
        serialize=str,
        parse_value=_url,
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description=(
            "A file, sent as the GraphQL multipart request specification describes. "
            "Nothing else is accepted."
        ),
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=_no_file,
        parse_value=_upload,
    ),
}
