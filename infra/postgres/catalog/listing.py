"""Pages of the images in an order: keysets, walked along an index in both directions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    TIMESTAMP,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from domain.entities.listing import EPOCH, Page, SortField
from infra.postgres.catalog.filters import conditions
from infra.postgres.parameters import whole
from infra.postgres.rows import image_of
from infra.postgres.tables import ImageRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select, SQLColumnExpression
    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.entities.filters import ImageFilter
    from domain.entities.listing import Sort, SortValue, Window

# Aliased rows have the attributes of the class, so they are typed as it.
Rows = type[ImageRow]

EVER_BEFORE: ColumnElement[Any] = literal_column("'-infinity'::timestamptz")
EVER_AFTER: ColumnElement[Any] = literal_column("'infinity'::timestamptz")


async def read_page(
    session: AsyncSession, criteria: ImageFilter, sort: Sort, *, window: Window
) -> Page:
    """Read a window of the images that match, and whether more lie on either side of it."""
    rows = (await session.execute(page_statement(criteria, sort, window))).all()
    images = [image_of(row[0]) for row in rows if row[0] is not None]
    behind = bool(rows[0][1])
    ahead = len(images) > window.size or bool(rows[0][2])
    images = images[: window.size]
    if window.from_end:
        return Page(tuple(reversed(images)), has_next=behind, has_previous=ahead)
    return Page(tuple(images), has_next=ahead, has_previous=behind)


def page_statement(criteria: ImageFilter, sort: Sort, window: Window) -> Select[Any]:
    """Return the statement that walks a page and one image more, from the end where asked.

    Beside each image, or beside nothing on an empty page, it says whether some match behind the
    start of the walk, and whether some match past the other end of the window.
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
        place = tuple_(_value(bound.value, sort), bound.id)
        page = page.where(key < place if falls else key > place)
        outside.append(exists().where(*wanted, key >= place if falls else key <= place))
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
    """Return what an index has for the order. A missing time is later, or earlier, than any."""
    if sort.field is SortField.FILENAME:
        return col(rows.filename).collate("C")
    if sort.field is SortField.BYTE_SIZE:
        return col(rows.byte_size)
    if sort.field is SortField.CREATED_AT:
        return col(rows.created_at)
    return func.coalesce(col(rows.taken_at), _missing(sort))


def _missing(sort: Sort) -> ColumnElement[Any]:
    return EVER_BEFORE if sort.descending else EVER_AFTER


def _value(value: SortValue, sort: Sort) -> ColumnElement[Any]:
    if value is None:
        return _missing(sort)
    if isinstance(value, str):
        return literal(value).collate("C")
    if sort.field is SortField.BYTE_SIZE:
        return whole(value)
    try:
        return literal(EPOCH + timedelta(microseconds=value), TIMESTAMP(timezone=True))
    except OverflowError:
        return EVER_AFTER if value > 0 else EVER_BEFORE
