"""Facets in SQL: all that are wanted, counted over one look at the images that are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, case, func, literal, literal_column, select, union_all
from sqlmodel import col

from domain.entities.facets import Facet, FacetValue
from domain.entities.filters import EVERYTHING, ImageFilter
from infra.postgres.catalog.filters import conditions
from infra.postgres.images import ImageRow
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import CTE, ColumnElement, Select, SQLColumnExpression
    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.entities.facets import Selection

UTC: ColumnElement[Any] = literal_column("'UTC'")
FIRST: ColumnElement[Any] = literal_column("'0001-01-01'::timestamptz")
LAST: ColumnElement[Any] = literal_column("'9999-12-31'::timestamptz")
MONTH: ColumnElement[Any] = literal_column("'month'")
FORM_OF_MONTH: ColumnElement[Any] = literal_column("'YYYY-MM'")


async def count_facets(
    session: AsyncSession, selection: Selection, most: Mapping[Facet, int | None]
) -> dict[Facet, tuple[FacetValue, ...]]:
    """Count the values of facets in one statement."""
    if not most:
        return {}
    counted: dict[Facet, list[FacetValue]] = {facet: [] for facet in most}
    for facet, value, count in await session.execute(_statement(selection, most)):
        counted[Facet(facet)].append(FacetValue(value, count))
    return {facet: tuple(_ordered(facet, values)) for facet, values in counted.items()}


def meant(selection: Selection) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of an image that is meant."""
    if isinstance(selection, ImageFilter):
        yield from conditions(selection)
    else:
        yield col(ImageRow.id) == func.any(array(selection, Uuid()))


def _statement(selection: Selection, most: Mapping[Facet, int | None]) -> Any:  # noqa: ANN401 - SQLAlchemy's
    facts: list[ColumnElement[Any]] = [_fact(facet).label(facet.value) for facet in most]
    images = select(*facts).where(*meant(selection)).cte("meant")
    if selection == EVERYTHING:
        # PostgreSQL keeps what is read more than once. The whole table is sooner read again.
        images = images.prefix_with("NOT MATERIALIZED")
    return union_all(*(_values(images, facet, first) for facet, first in most.items()))


def _fact(facet: Facet) -> SQLColumnExpression[Any]:
    if facet is Facet.CAMERA:
        return col(ImageRow.camera_model)
    if facet is Facet.TAG:
        return col(ImageRow.tags)
    if facet is Facet.MONTH:
        taken_at = col(ImageRow.taken_at)
        # The ends of the calendar are kept as infinities, which have no month.
        finite = func.greatest(FIRST, func.least(taken_at, LAST))
        month = func.date_trunc(MONTH, func.timezone(UTC, finite))
        return case((taken_at.is_not(None), month))
    return col(ImageRow.content_type)


def _values(images: CTE, facet: Facet, first: int | None) -> Select[Any]:
    fact: ColumnElement[Any] = images.c[facet.value]
    if facet is Facet.TAG:
        fact = select(func.unnest(fact).label("tag")).subquery().c.tag
    count, value = func.count().label("number"), fact
    order: list[ColumnElement[Any]]
    if facet is Facet.MONTH:
        value, order = func.to_char(fact, FORM_OF_MONTH), [fact.desc()]
    else:
        order = [count.desc(), fact.collate("C")]
    found = (
        select(value.label("value"), count)
        .where(fact.is_not(None))
        .group_by(fact)
        .order_by(*order)
        .limit(first)
        .subquery()
    )
    return select(literal(facet.value), found.c.value, found.c.number)


def _ordered(facet: Facet, values: list[FacetValue]) -> list[FacetValue]:
    """Sort again: what a UNION puts together is in no order that PostgreSQL promises."""
    if facet is Facet.MONTH:
        return sorted(values, key=lambda month: month.value, reverse=True)
    return sorted(values, key=lambda value: (-value.count, value.value))
