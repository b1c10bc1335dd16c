"""Work that may be done twice: its connection comes from the pool without a ping.

A ping costs as much as a short statement. Where a connection was used a moment ago, work that may
be done twice leaves it out, and is done again, on a connection that answers, where this one turns
out to be lost.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from infra.postgres.outages import ASYNCPG_OUTAGES, ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    import asyncpg  # type: ignore[import-untyped] # it ships no types
    from sqlalchemy import Engine, Executable, Row
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

PING_TIMEOUT_SECONDS = 3.0
"""How long a connection from the pool may take to answer before it is replaced."""

TRUSTED_SECONDS = 1.0
"""How long after its last use a connection is used again without a ping. Where a server freezes, a
statement waits for its time limit, and a ping only for its own: so older connections are pinged."""

RETURNED_AT = "returned_at"


@dataclass(slots=True)
class _Trust:
    """Whether a ping was left out."""

    was_used: bool = False


_trust: ContextVar[_Trust | None] = ContextVar("_trust", default=None)
"""Set where a connection may be used without a ping."""

_autocommitting: WeakKeyDictionary[AsyncEngine, AsyncEngine] = WeakKeyDictionary()


def autocommitting(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine of the same pool whose connections commit each statement by itself."""
    made = _autocommitting.get(engine)
    if made is None:
        made = _autocommitting[engine] = engine.execution_options(isolation_level="AUTOCOMMIT")
    return made


async def repeatable(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Return the result of work that may be done twice. Each of its statements is committed.

    Work may be done twice where it only reads, and where doing it again changes nothing.
    """
    engine = autocommitting(engine)
    with _trusting() as trust:
        try:
            async with engine.connect() as connection:
                return await work(connection)
        except ConnectionLost:
            if not trust.was_used:
                raise
    async with engine.connect() as connection:
        return await work(connection)


async def fetch_rows(
    engine: AsyncEngine, statement: Executable, parameters: dict[str, Any] | None = None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the rows of a statement that may be executed twice."""

    async def work(connection: AsyncConnection) -> Sequence[Row[*tuple[Any, ...]]]:
        return (await connection.execute(statement, parameters)).all()

    return await repeatable(engine, work)


def listen_for_pings(engine: Engine) -> None:
    """Ping each connection that leaves the pool, unless it is trusted."""
    event.listen(engine, "checkin", _note_return)
    event.listen(engine, "checkout", _ping)


@contextmanager
def _trusting() -> Iterator[_Trust]:
    trust = _Trust()
    token = _trust.set(trust)
    try:
        yield trust
    finally:
        _trust.reset(token)


def _note_return(_: object, record: ConnectionPoolEntry) -> None:
    record.info[RETURNED_AT] = time.monotonic()


# Any: SQLAlchemy's adapter of the connection is untyped.
def _ping(connection: Any, record: ConnectionPoolEntry, _: object) -> None:  # noqa: ANN401
    """Check a connection that leaves the pool. SQLAlchemy replaces it where this raises."""
    if (trust := _trust.get()) and _is_recent(record):
        trust.was_used = True
        return
    try:
        connection.run_async(_select_one)
    except ASYNCPG_OUTAGES as error:
        raise InvalidatePoolError from error


def _is_recent(record: ConnectionPoolEntry) -> bool:
    returned_at = record.info.get(RETURNED_AT)
    return returned_at is not None and time.monotonic() - returned_at < TRUSTED_SECONDS


async def _select_one(connection: asyncpg.Connection) -> object:
    return await connection.execute("SELECT 1", timeout=PING_TIMEOUT_SECONDS)
