"""Transactions that are run again where PostgreSQL ended them to resolve a conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from domain.concurrency import Retry
from domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

CONFLICT_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 4.0)
"""Backoff after a deadlock. The transactions of requests, with which it comes about, are short."""


async def repeat_conflicts(transaction: Callable[[], Awaitable[T]]) -> T:
    """Return the result of a transaction, which is run again where PostgreSQL gave up on it."""
    return await Retry(CONFLICT_PAUSES_SECONDS, only=Overloaded)(transaction)
