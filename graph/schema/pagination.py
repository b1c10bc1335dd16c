"""Relay pagination: PageInfo, and opaque cursors of listings, searches and duplicates."""

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
    """The cursors of a page's ends, and whether there are pages before and after it."""

    has_next_page: bool
    """Whether there is a page after this one."""
    has_previous_page: bool
    """Whether there is a page before this one."""
    start_cursor: str | None
    """The cursor of the first edge; null on an empty page."""
    end_cursor: str | None
    """The cursor of the last edge, for `after`; null on an empty page."""

    @classmethod
    def of(cls, cursors: Sequence[str], *, has_next: bool, has_previous: bool) -> "PageInfo":
        """Return the information of a page whose edges have these cursors."""
        return cls(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def encode_position(position: Position, sort: Sort) -> str:
    """Return the cursor of a keyset position. It is valid in the same sort order only."""
    return _encode([_order(sort), position.value, str(position.id)])


def decode_position(cursor: str, sort: Sort, *, location: Location) -> Position:
    """Return the position of a cursor. Raises InvalidArgument, also for another sort order."""
    order, value, image_id = _decode(cursor, location=location, lengths=(3,))
    try:
        field = SortField(str(order).partition(" ")[0])
        position = Position(SORT_KEYS[field].check(value), UUID(image_id))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _malformed(location) from None
    if order != _order(sort):
        raise InvalidArgument(
            location,
            f"The cursor `{argument_of(location)}` belongs to another sort order; send the same "
            "sort as before, or leave the cursor out.",
        )
    return position


def encode_search_cursor(cursor: SearchCursor) -> str:
    """Return the cursor of a position in the hits of a search."""
    return _encode([str(cursor.search_id), cursor.rank, cursor.hits_digest])


def decode_search_cursor(cursor: str, *, location: Location) -> SearchCursor:
    """Return the position of a cursor. Raises InvalidArgument."""
    # Cursors of earlier servers have no digest. The search has expired for them.
    search_id, rank, digest, *_ = [*_decode(cursor, location=location, lengths=(2, 3)), ""]
    if type(rank) is not int or not 0 <= rank <= MAX_SEARCH_DEPTH or not isinstance(digest, str):
        raise _malformed(location)
    return SearchCursor(search_uuid(search_id, location=location), rank, digest)


def encode_group_cursor(cursor: GroupCursor) -> str:
    """Return the cursor of a position in the groups of duplicates."""
    return _encode([cursor.kind.value, str(cursor.newest), str(cursor.last)])


def decode_group_cursor(cursor: str, *, location: Location) -> GroupCursor:
    """Return the position of a cursor. Raises InvalidArgument."""
    kind, newest, last = _decode(cursor, location=location, lengths=(3,))
    try:
        return GroupCursor(Collapse(kind), UUID(newest), UUID(last))
    except (ValueError, TypeError, AttributeError):
        raise _malformed(location) from None


def search_uuid(search_id: object, *, location: Location) -> UUID:
    """Return the UUID of a search. Raises InvalidArgument."""
    try:
        return UUID(str(search_id))
    except ValueError:
        raise _malformed(location) from None


def _order(sort: Sort) -> str:
    return f"{sort.field.value} {'desc' if sort.descending else 'asc'}"


def _encode(parts: list[str | int | None]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Any: clients can send any JSON as a cursor.
def _decode(cursor: str, *, location: Location, lengths: Sequence[int]) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed(location) from None
    if not isinstance(parts, list) or len(parts) not in lengths:
        raise _malformed(location)
    return parts


def _malformed(location: Location) -> InvalidArgument:
    return InvalidArgument(
        location,
        f"`{argument_of(location)}` was not returned by this API; send a value that the API "
        "returned, or leave it out.",
    )
