"""Looking again after a failure: whoever watches for hours outlives a restart of the database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from domain.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds: half a minute in all, in which a database is back that is only restarted."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Does again what failed. No port tells an outage from a bug, and a bug fails every time."""

    pauses: Sequence[float] = PAUSES

    async def __call__(self, look: Callable[[], Awaitable[T]]) -> T:
        """Return what ``look`` returns. Raises refusals at once, and what fails at last."""
        for pause in self.pauses:
            try:
                return await look()
            except Refusal:
                raise
            except Exception:  # noqa: BLE001 - it is raised if it stays
                await asyncio.sleep(pause)
        return await look()
