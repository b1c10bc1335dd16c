"""Tells outages and overload of PostgreSQL from bugs, by the errors of its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # it ships no types

from domain.errors import Overloaded, Unavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

ASYNCPG_OUTAGES = (
    OSError,
    EOFError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""The exceptions of asyncpg while the server is away."""

READ_ONLY_TRANSACTION = "25006"
DISK_FULL = "53100"
LOST_STATES = ("08", "57P")
"""Beginnings of SQLSTATEs: lost connections, and a server that stops or starts."""

SYSTEM_STATES = "58"
"""The beginning of the SQLSTATEs of errors of the server's disk."""

EXHAUSTED_STATES = {"53200", "53300", "53400"}
"""Out of memory, of connections, or of a configured limit."""

TIMEOUT_STATES = {"57014", "55P03", "25P03"}
"""Of a statement, of a lock, and of an idle transaction: what RequestLimits sets."""

CONFLICT_STATES = {"40P01", "40001"}
"""Of a deadlock, and of a transaction that cannot be serialized."""

NO_CONNECTION = "The server has lost the connection to its database; try again in a moment."
NO_SPACE = "The disk of the database is full, so nothing can be saved; try again later."
NO_CHANGES = "The database accepts no changes at the moment; try again later."
TOO_SLOW = "The database took too long for this; try again later, or ask for less at once."
CONFLICT = "Another change of the same data came in between; try again in a moment."


class ConnectionLost(Unavailable):
    """A connection was lost. Another one may work at once."""


def raise_outages(context: ExceptionContext, *, is_limited: bool) -> None:
    """Raise Unavailable for an outage, and Overloaded for a conflict of transactions.

    Overloaded is also raised for a time limit where the engine has them.

    A listener of SQLAlchemy's event ``handle_error``.
    """
    error = context.original_exception
    state = str(getattr(error, "sqlstate", None) or "")
    if state == DISK_FULL:
        raise Unavailable(NO_SPACE)
    if state == READ_ONLY_TRANSACTION:
        # A connection that was opened while the database was read-only may stay so for ever.
        context.is_disconnect = True
        raise Unavailable(NO_CHANGES)
    if state in EXHAUSTED_STATES or (is_limited and state in TIMEOUT_STATES):
        raise Overloaded(TOO_SLOW)
    if state in CONFLICT_STATES:
        raise Overloaded(CONFLICT)
    if isinstance(error, (OSError, TimeoutError)) or state.startswith(LOST_STATES):
        # The statement may still run, so its connection cannot be used for another. Or PostgreSQL
        # is about to close the socket, which the driver takes for open until then.
        context.is_disconnect = True
    if context.is_disconnect and isinstance(error, Exception):
        raise ConnectionLost(NO_CONNECTION)
    if state.startswith(SYSTEM_STATES):
        raise Unavailable(NO_CONNECTION)
