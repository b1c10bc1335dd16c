"""The two statements that find the nearest images: an exact scan, and a scan of the HNSW index.

Both return the ids and the distances as two arrays, and the images of the best hits if these are
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from typing import cast as cast_type

from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import (
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, REAL, aggregate_order_by
from sqlmodel import col

from infra.postgres.images import IS_LIVE_IMAGE, ImageRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CTE, ColumnElement, FromClause, Select

    from domain.entities.scans import ScanParameters
    from infra.postgres.models.active import ActiveModel

Conditions: TypeAlias = "Sequence[ColumnElement[bool]]"
"""The conditions of a filter on the table of images."""

INDEX_SCAN_SETTINGS = {
    # Past this limit, pgvector returns candidates that it had discarded before. No library reaches
    # it: the LIMIT of the statement ends the scan.
    "hnsw.max_scan_tuples": "2147483647",
    "hnsw.scan_mem_multiplier": "8",
}

ITERATIVE = "relaxed_order"
"""Continues the scan where it found too few. The order is corrected by the final sort."""

NOT_ITERATIVE = "off"

EMBEDDING_PARAMETER: ColumnElement[Any] = bindparam("embedding", type_=ARRAY(REAL()))
EF_SEARCH_PARAMETER: ColumnElement[Any] = bindparam("ef_search", type_=Text())
ITERATIVE_SCAN_PARAMETER: ColumnElement[Any] = bindparam("iterative_scan", type_=Text())
MAX_STEPS_PARAMETER: ColumnElement[Any] = bindparam("max_steps", type_=Integer())
NUMBER_PARAMETER: ColumnElement[Any] = bindparam("number", type_=Integer())
IMAGES_PARAMETER: ColumnElement[Any] = bindparam("images", type_=Integer())


def scan_settings(parameters: ScanParameters) -> dict[str, object]:
    """Return the values of the settings of an index scan, by the names of their parameters."""
    return {
        "ef_search": str(parameters.ef_search),
        "iterative_scan": ITERATIVE if parameters.iterative else NOT_ITERATIVE,
    }


def exact_statement(
    model: ActiveModel, conditions: Conditions, *, with_images: bool = False
) -> Select[Any]:
    """Return the statement that compares the embeddings of all images that match."""
    partition = _partition(model)
    image_id, point = partition.c.image_id, cast(EMBEDDING_PARAMETER, VECTOR())
    distance = partition.c.embedding.max_inner_product(point)
    nearest = (
        _matching(partition, conditions, image_id, distance.label("distance"))
        .order_by(distance, image_id)
        .limit(NUMBER_PARAMETER)
    )
    return _sorted(nearest, with_images=with_images)


def index_statement(
    model: ActiveModel, conditions: Conditions, *, with_images: bool = False
) -> Select[Any]:
    """Return the statement that scans the HNSW index. Its result is approximate."""
    partition = _partition(model)
    half = HALFVEC(model.dimensions)
    settings: dict[str, Any] = {
        "hnsw.ef_search": EF_SEARCH_PARAMETER,
        "hnsw.iterative_scan": ITERATIVE_SCAN_PARAMETER,
        **INDEX_SCAN_SETTINGS,
    }
    are_set = [
        func.set_config(name, value, true()).is_not(None) for name, value in settings.items()
    ]
    # The query's vector is a scalar subquery that sets the settings. PostgreSQL evaluates it before
    # it opens the index, so one statement is enough, and the settings end with its transaction.
    half_point = select(cast(EMBEDDING_PARAMETER, half)).where(*are_set).scalar_subquery()
    # ORDER BY has the distance alone: with a second column, PostgreSQL does not use the index.
    half_distance = cast(partition.c.embedding, half).max_inner_product(half_point)
    scanned = (
        select(partition, half_distance.label("half_distance"))
        .order_by(half_distance)
        .limit(MAX_STEPS_PARAMETER)
    ).subquery("scanned")
    distance = scanned.c.embedding.max_inner_product(cast(EMBEDDING_PARAMETER, VECTOR())).label(
        "distance"
    )
    nearest = (
        _matching(scanned, conditions, scanned.c.image_id, distance)
        .order_by(scanned.c.half_distance)
        .limit(NUMBER_PARAMETER)
    )
    return _sorted(nearest, with_images=with_images)


def _partition(model: ActiveModel) -> FromClause:
    return table(model.partition, column("image_id", Uuid()), column("embedding", VECTOR()))


def _matching(
    images: FromClause, conditions: Conditions, *columns: ColumnElement[Any]
) -> Select[Any]:
    if not conditions:
        return select(*columns).select_from(images)
    joined = images.join(ImageRow, col(ImageRow.id) == images.c.image_id)
    return select(*columns).select_from(joined).where(*conditions)


def _sorted(nearest: Select[Any], *, with_images: bool) -> Select[Any]:
    """Sort by the distance of full precision, then by id, into arrays, which decode fast."""
    found = nearest.cte("nearest").prefix_with("MATERIALIZED")
    ids, distances = (
        func.array_agg(aggregate_order_by(value, found.c.distance, found.c.image_id))
        for value in (found.c.image_id, found.c.distance)
    )
    if with_images:
        return _with_rows(found, ids, distances)
    # Any: only `Scan.execute` reads the columns.
    return cast_type("Select[Any]", select(ids, distances))


def _with_rows(found: CTE, *arrays: ColumnElement[Any]) -> Select[Any]:
    """Return a row for each of the best images, with the arrays in the first of them."""
    order = (found.c.distance, found.c.image_id)
    best = (
        select(found.c.image_id, func.row_number().over(order_by=order).label("rank"))
        .order_by(*order)
        .limit(IMAGES_PARAMETER)
        .subquery("best")
    )
    is_first = best.c.rank == literal_column("1")
    in_first = [case((is_first, select(each).scalar_subquery())) for each in arrays]
    is_image = and_(col(ImageRow.id) == best.c.image_id, IS_LIVE_IMAGE)
    # An outer join, so that the first row is there in any case.
    joined = best.outerjoin(ImageRow, is_image)
    return select(*in_first, ImageRow).select_from(joined).order_by(best.c.rank)
