"""Logs the failures of a task that a server repeats until it succeeds."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.errors import Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPEAT_SECONDS = 60.0
"""How long an outage goes on until it is logged again."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class FailureLog:
    """Logs an outage in one line a minute at most, and its end in another.

    ``failure`` is what a log line begins with, as "the trash could not be emptied". A failure that
    is no outage has its traceback each time.
    """

    failure: str
    clock: Callable[[], float] = time.monotonic
    _began_at: float | None = field(default=None, init=False)
    """When the outage began. None while there is none."""
    _logged_at: float | None = field(default=None, init=False)
    """When an outage was last logged: this one, or one before it."""

    @contextmanager
    def run(self) -> Iterator[None]:
        """Log a failure of the block, and go on behind it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            self.failed(error)
        else:
            self.succeeded()

    def failed(self, error: Exception, *, bug: str | None = None) -> None:
        """Log a failure, unless an outage was logged less than a minute ago.

        ``bug`` is what the line of a failure begins with that is no outage.
        """
        if not isinstance(error, Unavailable | Refusal):
            logger.warning("%s; trying again", bug or self.failure, exc_info=error)
            return
        now = self.clock()
        if self._began_at is None:
            self._began_at = now
        if self._logged_at is None or now >= self._logged_at + REPEAT_SECONDS:
            self._logged_at = now
            reason = error.with_cause if isinstance(error, Unavailable) else error.message
            logger.warning("%s; trying again: %s", self.failure, reason)

    def succeeded(self) -> None:
        """Log the end of an outage that was logged."""
        began_at, self._began_at = self._began_at, None
        if began_at is not None and self._logged_at is not None and began_at <= self._logged_at:
            seconds = self.clock() - began_at
            logger.warning("%s for %.0f s; it works again", self.failure, seconds)
