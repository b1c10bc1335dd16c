"""Cursors: places in a listing or in a search's answer, opaque to clients."""

import base64
import binascii
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.duplicates import GroupCursor
from domain.errors import InvalidArgument
from domain.filters import EPOCH, Place, Sort, SortField, SortValue
from domain.likenesses import Collapse
from domain.searches import DEPTH, SearchCursor
from domain.text import is_legible

INT64 = 2**63


def place_cursor(place: Place, sort: Sort) -> str:
    """Return a place as a cursor that only listings in the same order accept."""
    return _encode([_order(sort), place.value, str(place.id)])


def place_at(cursor: str, sort: Sort, *, argument: str) -> Place:
    """Read a cursor back. Raises InvalidArgument for one of another order, or of none."""
    order, value, image_id = _decode(cursor, argument=argument, length=3)
    try:
        known = SortField(str(order).partition(" ")[0])
        place = Place(_checked(value, known), UUID(image_id))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _malformed(argument) from None
    if order != _order(sort):
        raise InvalidArgument(
            argument, f"The cursor `{argument}` belongs to another sort; repeat that, or drop it."
        )
    return place


def search_cursor(cursor: SearchCursor) -> str:
    """Return a place in a search's answer as a cursor."""
    return _encode([str(cursor.search_id), cursor.rank])


def search_at(cursor: str, *, argument: str) -> SearchCursor:
    """Read a search's cursor back. Raises InvalidArgument."""
    search_id, rank = _decode(cursor, argument=argument, length=2)
    if type(rank) is not int or not 0 <= rank <= DEPTH:
        raise _malformed(argument)
    return SearchCursor(search_uuid(search_id, argument=argument), rank)


def group_cursor(cursor: GroupCursor) -> str:
    """Return a place among the groups of duplicates as a cursor."""
    return _encode([cursor.kind.value, str(cursor.newest), str(cursor.last)])


def group_at(cursor: str, *, argument: str) -> GroupCursor:
    """Read a cursor among groups back. Raises InvalidArgument."""
    kind, newest, last = _decode(cursor, argument=argument, length=3)
    try:
        return GroupCursor(Collapse(kind), UUID(newest), UUID(last))
    except (ValueError, TypeError, AttributeError):
        raise _malformed(argument) from None


def search_uuid(search_id: object, *, argument: str) -> UUID:
    """Return the id of a search. Raises InvalidArgument."""
    try:
        return UUID(str(search_id))
    except ValueError:
        raise _malformed(argument) from None


def _order(sort: Sort) -> str:
    return f"{sort.field.value} {'desc' if sort.descending else 'asc'}"


def _checked(value: object, field: SortField) -> SortValue:
    """Return a value that the field can have. Raises ValueError, TypeError or OverflowError."""
    match field, value:
        case SortField.FILENAME, str(text) if is_legible(text):
            return text
        case SortField.TAKEN_AT, None:
            return None
        case SortField.BYTE_SIZE, int(number) if 0 <= number < INT64:
            return number
        case ((SortField.TAKEN_AT | SortField.CREATED_AT), int(number)):
            _ = EPOCH + timedelta(microseconds=number)
            return number
    raise ValueError(value)


def _encode(parts: list[str | int | None]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Any: a client may have put anything into what it claims to be a cursor.
def _decode(cursor: str, *, argument: str, length: int) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed(argument) from None
    if not isinstance(parts, list) or len(parts) != length:
        raise _malformed(argument)
    return parts


def _malformed(argument: str) -> InvalidArgument:
    return InvalidArgument(
        argument, f"`{argument}` is none that this API returned; send one as it came, or drop it."
    )
