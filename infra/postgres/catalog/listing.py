"""Pages of a listing: keyset pagination along an index, in both directions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import TIMESTAMP, exists, false, func, literal, literal_column, select, true, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col

from domain.entities.filters import EPOCH, SortField, SortType
from domain.entities.listing import Page
from infra.postgres.catalog.filters import conditions
from infra.postgres.images import ImageRow, image_of
from infra.postgres.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression

    from domain.entities.filters import ImageFilter, SortValue
    from domain.entities.listing import Sort, Window

# Aliased rows have the attributes of the class, so they are typed as it.
Rows = type[ImageRow]

LEAST_INTEGER, GREATEST_INTEGER = -1, 2**31 - 1

LEAST: dict[SortType, ColumnElement[Any]] = {
    SortType.INSTANT: literal_column("'-infinity'::timestamptz"),
    SortType.LOCAL_TIME: literal_column("'-infinity'::timestamp"),
    SortType.INTEGER: literal_column(str(LEAST_INTEGER)),
}
GREATEST: dict[SortType, ColumnElement[Any]] = {
    SortType.INSTANT: literal_column("'infinity'::timestamptz"),
    SortType.LOCAL_TIME: literal_column("'infinity'::timestamp"),
    SortType.INTEGER: literal_column(str(GREATEST_INTEGER)),
}
"""What stands for a missing value, so that it comes last. The indexes have the same constants."""


def page_of(rows: Sequence[Row[*tuple[Any, ...]]], window: Window) -> Page:
    """Return the page that the rows of ``page_statement`` have."""
    images = [image_of(row) for row in rows if row.id is not None]
    behind = bool(rows[0].behind)
    ahead = len(images) > window.size or bool(rows[0].ahead)
    images = images[: window.size]
    if window.from_end:
        return Page(tuple(reversed(images)), has_next=behind, has_previous=ahead)
    return Page(tuple(images), has_next=ahead, has_previous=behind)


def page_statement(criteria: ImageFilter, sort: Sort, window: Window) -> Select[Any]:
    """Return the statement that reads a page and one image more, from the end where asked.

    Two more columns say whether images match behind the start of the scan, and past the other end
    of the window. On an empty page they are in a row of their own.
    """
    wanted = list(conditions(criteria))
    descending = sort.descending != window.from_end
    start, stop = window.after, window.before
    if window.from_end:
        start, stop = stop, start
    page = select(ImageRow).where(*wanted).limit(window.size + 1)
    page = page.order_by(*_order(ImageRow, sort, descending=descending))
    outside: list[ColumnElement[bool]] = []
    for bound, falls in ((start, descending), (stop, not descending)):
        if bound is None:
            outside.append(false())
            continue
        key = tuple_(_key(ImageRow, sort), col(ImageRow.id))
        position = tuple_(_value(bound.value, sort), bound.id)
        page = page.where(key < position if falls else key > position)
        outside.append(exists().where(*wanted, key >= position if falls else key <= position))
    rows = aliased(ImageRow, page.subquery())
    sides = select(outside[0].label("behind"), outside[1].label("ahead")).subquery()
    return (
        select(rows, sides.c.behind, sides.c.ahead)
        .select_from(sides)
        .outerjoin(rows, true())
        .order_by(*_order(rows, sort, descending=descending))
    )


def _order(rows: Rows, sort: Sort, *, descending: bool) -> list[ColumnElement[Any]]:
    columns = (_key(rows, sort), col(rows.id))
    return [column.desc() if descending else column.asc() for column in columns]


def _key(rows: Rows, sort: Sort) -> SQLColumnExpression[Any]:
    """Return the expression that the index of the sort order has."""
    name = "taken_at_local" if sort.field is SortField.TAKEN_AT else sort.field.value
    column: SQLColumnExpression[Any] = col(getattr(rows, name))
    if sort.key.type is SortType.TEXT:
        return column.collate("C")
    return func.coalesce(column, _missing(sort)) if sort.key.nullable else column


def _missing(sort: Sort) -> ColumnElement[Any]:
    return (LEAST if sort.descending else GREATEST)[sort.key.type]


def _value(value: SortValue, sort: Sort) -> ColumnElement[Any]:
    if value is None:
        return _missing(sort)
    if isinstance(value, str):
        return literal(value).collate("C")
    if sort.key.type is SortType.INTEGER:
        return whole(
            max(LEAST_INTEGER, min(value, GREATEST_INTEGER)) if sort.key.nullable else value
        )
    has_zone = sort.key.type is SortType.INSTANT
    epoch = EPOCH if has_zone else EPOCH.replace(tzinfo=None)
    try:
        return literal(epoch + timedelta(microseconds=value), TIMESTAMP(timezone=has_zone))
    except OverflowError:
        return (GREATEST if value > 0 else LEAST)[sort.key.type]
