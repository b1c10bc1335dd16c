"""Facets in SQL: one statement counts the values of several facets, over one scan of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, case, func, literal, literal_column, select, union_all
from sqlmodel import col

from domain.entities.facets import Facet, FacetValue
from domain.entities.filters import EVERYTHING, ImageFilter
from infra.postgres.catalog.filters import conditions
from infra.postgres.images import IS_LIVE_IMAGE, ImageRow
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import CTE, ColumnElement, CompoundSelect, Row, Select, SQLColumnExpression

    from domain.entities.facets import Selection

MIN_TIME: ColumnElement[Any] = literal_column("'0001-01-01'::timestamp")
MAX_TIME: ColumnElement[Any] = literal_column("'9999-12-31'::timestamp")
MONTH: ColumnElement[Any] = literal_column("'month'")
MONTH_FORMAT: ColumnElement[Any] = literal_column("'YYYY-MM'")


def facets_of(
    rows: Iterable[Row[*tuple[Any, ...]]], most: Mapping[Facet, int | None]
) -> dict[Facet, tuple[FacetValue, ...]]:
    """Return the values that the rows of ``facets_statement`` have."""
    counted: dict[Facet, list[FacetValue]] = {facet: [] for facet in most}
    for facet, value, count in rows:
        counted[Facet(facet)].append(FacetValue(value, count))
    return {facet: tuple(_ordered(facet, values)) for facet, values in counted.items()}


def selection_conditions(selection: Selection) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that a selected image fulfils."""
    if isinstance(selection, ImageFilter):
        yield from conditions(selection)
    else:
        yield col(ImageRow.id) == func.any(array(selection, Uuid()))
        yield IS_LIVE_IMAGE


def facets_statement(selection: Selection, most: Mapping[Facet, int | None]) -> CompoundSelect[Any]:
    """Return the statement that counts the values of at least one facet."""
    facts: list[ColumnElement[Any]] = [_fact(facet).label(facet.value) for facet in most]
    images = select(*facts).where(*selection_conditions(selection)).cte("selected")
    if selection == EVERYTHING:
        # PostgreSQL materializes a CTE that is read more than once. For the whole table, that costs
        # more than a scan for each facet.
        images = images.prefix_with("NOT MATERIALIZED")
    return union_all(*(_values(images, facet, first) for facet, first in most.items()))


def _fact(facet: Facet) -> SQLColumnExpression[Any]:
    if facet is Facet.CAMERA:
        return col(ImageRow.camera_model)
    if facet is Facet.TAG:
        return col(ImageRow.tags)
    if facet is Facet.MONTH:
        taken_at = col(ImageRow.taken_at_local)
        # asyncpg stores the first and last time of datetime as infinities. These have no month.
        finite = func.greatest(MIN_TIME, func.least(taken_at, MAX_TIME))
        return case((taken_at.is_not(None), func.date_trunc(MONTH, finite)))
    return col(ImageRow.content_type)


def _values(images: CTE, facet: Facet, first: int | None) -> Select[Any]:
    fact: ColumnElement[Any] = images.c[facet.value]
    if facet is Facet.TAG:
        fact = select(func.unnest(fact).label("tag")).subquery().c.tag
    count, value = func.count().label("number"), fact
    order: list[ColumnElement[Any]]
    if facet is Facet.MONTH:
        value, order = func.to_char(fact, MONTH_FORMAT), [fact.desc()]
    else:
        order = [count.desc(), fact.collate("C")]
    values = (
        select(value.label("value"), count)
        .where(fact.is_not(None))
        .group_by(fact)
        .order_by(*order)
        .limit(first)
        .subquery()
    )
    return select(literal(facet.value), values.c.value, values.c.number)


def _ordered(facet: Facet, values: list[FacetValue]) -> list[FacetValue]:
    """Sort in Python: PostgreSQL guarantees no order for the rows of a UNION."""
    if facet is Facet.MONTH:
        return sorted(values, key=lambda month: month.value, reverse=True)
    return sorted(values, key=lambda value: (-value.count, value.value))
