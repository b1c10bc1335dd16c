"""Clusters of places in SQL: a grid over the coordinates of the selected images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, case, func, literal, select
from sqlmodel import col

from domain.entities.places import GeoBox, PlaceCluster
from infra.postgres.catalog.facets import selection_conditions
from infra.postgres.images import ImageRow
from infra.postgres.repeatable import fetch_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.facets import Selection
    from domain.entities.places import PlaceRequest

DATE_LINE = 180.0


@dataclass(frozen=True, slots=True)
class PostgresPlaces:
    """Clusters places in one statement, however many images are selected."""

    engine: AsyncEngine

    async def clusters(self, selection: Selection, request: PlaceRequest) -> Sequence[PlaceCluster]:
        rows = await fetch_rows(self.engine, clusters_statement(selection, request))
        return [
            PlaceCluster(
                row.latitude,
                row.longitude,
                row.number,
                GeoBox(north=row.north, south=row.south, east=row.east, west=row.west),
            )
            for row in rows
        ]


def clusters_statement(selection: Selection, request: PlaceRequest) -> Select[Any]:
    """Return the statement that counts the images of each cell, the fullest cells first."""
    latitude = col(ImageRow.latitude)
    # The date line has two longitudes; it is the western edge of the first cell.
    longitude = case(
        (col(ImageRow.longitude) == DATE_LINE, -DATE_LINE), else_=col(ImageRow.longitude)
    )
    degrees = literal(request.cell_degrees, Float)
    placed = (
        select(
            latitude.label("latitude"),
            longitude.label("longitude"),
            func.floor((latitude + 90) / degrees).label("row"),
            func.floor((longitude + 180) / degrees).label("column"),
        )
        .where(latitude.is_not(None), *selection_conditions(selection))
        .subquery()
    )
    number = func.count().label("number")
    south, west = func.min(placed.c.latitude), func.min(placed.c.longitude)
    north, east = func.max(placed.c.latitude), func.max(placed.c.longitude)
    return (
        select(
            number,
            # A mean can leave the range by rounding.
            func.least(north, func.greatest(south, func.avg(placed.c.latitude))).label("latitude"),
            func.least(east, func.greatest(west, func.avg(placed.c.longitude))).label("longitude"),
            north.label("north"),
            south.label("south"),
            east.label("east"),
            west.label("west"),
        )
        .group_by(placed.c.row, placed.c.column)
        .order_by(number.desc(), placed.c.row, placed.c.column)
        .limit(request.first)
    )
