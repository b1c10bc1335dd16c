"""Pages of a listing of images."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from domain.entities.filters import SORT_KEYS, SortField
from domain.entities.listing import Position, Sort
from domain.entities.near_duplicates import Collapse
from domain.entities.searches import MAX_SEARCH_DEPTH, SearchCursor
from domain.errors import InvalidArgument, Location
from domain.use_cases.duplicates.find_duplicates import GroupCursor
from graph.schema.errors import argument_of


@strawberry.type
class PageInfo:
    """Where a page lies."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    @classmethod
    def around(cls, cursors: Sequence[str], *, has_next: bool, has_previous: bool) -> "PageInfo":
        """Return where a page lies whose edges have these cursors."""
        return cls(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def position_cursor(place: Position, sort: Sort) -> str:
    """Return a place as a cursor that only listings in the same order accept."""
    return _encode([_order(sort), place.value, str(place.id)])


def position_at(cursor: str, sort: Sort, *, location: Location) -> Position:
    """Read a cursor back. Raises InvalidArgument for one of another order, or of none."""
    order, value, image_id = _decode(cursor, location=location, length=3)
    try:
        known = SortField(str(order).partition(" ")[0])
        position = Position(SORT_KEYS[known].check(value), UUID(image_id))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _malformed(location) from None
    if order != _order(sort):
        raise InvalidArgument(
            location,
            f"The cursor `{argument_of(location)}` belongs to another sort; repeat that, or drop it.",
        )
    return position


def search_cursor(cursor: SearchCursor) -> str:
    """Return a place in a search's answer as a cursor."""
    return _encode([str(cursor.search_id), cursor.rank])


def search_at(cursor: str, *, location: Location) -> SearchCursor:
    """Read a search's cursor back. Raises InvalidArgument."""
    search_id, rank = _decode(cursor, location=location, length=2)
    if type(rank) is not int or not 0 <= rank <= MAX_SEARCH_DEPTH:
        raise _malformed(location)
    return SearchCursor(search_uuid(search_id, location=location), rank)


def group_cursor(cursor: GroupCursor) -> str:
    """Return a place among the groups of duplicates as a cursor."""
    return _encode([cursor.kind.value, str(cursor.newest), str(cursor.last)])


def group_at(cursor: str, *, location: Location) -> GroupCursor:
    """Read a cursor among groups back. Raises InvalidArgument."""
    kind, newest, last = _decode(cursor, location=location, length=3)
    try:
        return GroupCursor(Collapse(kind), UUID(newest), UUID(last))
    except (ValueError, TypeError, AttributeError):
        raise _malformed(location) from None


def search_uuid(search_id: object, *, location: Location) -> UUID:
    """Return the id of a search. Raises InvalidArgument."""
    try:
        return UUID(str(search_id))
    except ValueError:
        raise _malformed(location) from None


def _order(sort: Sort) -> str:
    return f"{sort.field.value} {'desc' if sort.descending else 'asc'}"


def _encode(parts: list[str | int | None]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Any: a client may have put anything into what it claims to be a cursor.
def _decode(cursor: str, *, location: Location, length: int) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed(location) from None
    if not isinstance(parts, list) or len(parts) != length:
        raise _malformed(location)
    return parts


def _malformed(location: Location) -> InvalidArgument:
    return InvalidArgument(
        location,
        f"`{argument_of(location)}` was not returned by this API; send one as it came, or drop it.",
    )
