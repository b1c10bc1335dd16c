"""The order in which images became READY, along its index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import TIMESTAMP, Uuid, func, literal, select, tuple_
from sqlmodel import col

from infra.postgres.catalog.filters import conditions
from infra.postgres.images import ImageRow
from infra.postgres.parameters import array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Select

    from domain.entities.filters import ImageFilter
    from domain.entities.images import ReadyPosition


def those_matching(ids: Sequence[UUID], criteria: ImageFilter) -> Select[Any]:
    """Return what finds those of the images that are here and match."""
    some = col(ImageRow.id) == func.any(array(ids, Uuid()))
    return select(col(ImageRow.id)).where(some, *conditions(criteria))


def those_ready_after(place: ReadyPosition, *, limit: int) -> Select[Any]:
    """Return what finds the places next behind one."""
    instant, image_id = literal(place[0], TIMESTAMP(timezone=True)), literal(place[1], Uuid())
    ready_at: Any = col(ImageRow.ready_at)
    key = tuple_(ready_at, col(ImageRow.id))
    return (
        select(ready_at, col(ImageRow.id))
        # The first condition is what the index is walked by.
        .where(ready_at >= instant, key > tuple_(instant, image_id))
        .order_by(ready_at, col(ImageRow.id))
        .limit(limit)
    )
