"""Statements of the feed of READY images, which scan the index on ``ready_at``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import TIMESTAMP, Uuid, func, literal, select, tuple_
from sqlmodel import col

from infra.postgres.catalog.filters import conditions
from infra.postgres.images import IS_LIVE_IMAGE, ImageRow
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Select

    from domain.entities.filters import ImageFilter
    from domain.entities.images import ReadyPosition


def matching_ids(ids: Sequence[UUID], criteria: ImageFilter) -> Select[Any]:
    """Return the statement that selects, among these images, those that match."""
    is_given = col(ImageRow.id) == func.any(array(ids, Uuid()))
    return select(col(ImageRow.id)).where(is_given, *conditions(criteria))


def positions_after(position: ReadyPosition, *, limit: int) -> Select[Any]:
    """Return the statement that selects the positions that follow one, by keyset."""
    instant, image_id = literal(position[0], TIMESTAMP(timezone=True)), literal(position[1], Uuid())
    ready_at: Any = col(ImageRow.ready_at)
    key = tuple_(ready_at, col(ImageRow.id))
    return (
        select(ready_at, col(ImageRow.id))
        # The index has ready_at alone: the first condition starts its scan, the second breaks ties.
        .where(ready_at >= instant, key > tuple_(instant, image_id), IS_LIVE_IMAGE)
        .order_by(ready_at, col(ImageRow.id))
        .limit(limit)
    )
