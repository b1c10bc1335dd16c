"""A connection pool of which a part is reserved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util.concurrency import await_

if TYPE_CHECKING:
    from sqlalchemy.pool.base import ConnectionPoolEntry

    from domain.concurrency import Capacity

IS_RESERVED = "is_reserved"


class ReservingPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, in which callers wait for a capacity instead of for a connection.

    The capacity is as large as the pool.
    """

    # SQLAlchemy derives the name of the logger from it: its messages are not the product's.
    _sqla_logger_namespace = "sqlalchemy.pool.impl.ReservingPool"
    capacity: Capacity

    def _do_get(self) -> ConnectionPoolEntry:
        is_reserved = await_(self.capacity.acquire())
        try:
            entry = super()._do_get()
        except BaseException:
            self.capacity.release(is_reserved=is_reserved)
            raise
        _info_of(entry)[IS_RESERVED] = is_reserved
        return entry

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        self.capacity.release(is_reserved=_info_of(record).pop(IS_RESERVED))

    def recreate(self) -> ReservingPool:
        pool = super().recreate()
        assert isinstance(pool, ReservingPool)  # noqa: S101 - it makes one of its own class
        pool.capacity = self.capacity
        return pool


def _info_of(entry: ConnectionPoolEntry) -> dict[object, bool]:
    # Unlike `info`, it outlives a connection that is replaced while it is in use.
    assert entry.record_info is not None  # noqa: S101 - SQLAlchemy creates it on access
    return entry.record_info
