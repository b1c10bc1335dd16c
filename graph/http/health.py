"""Health endpoints: ``/healthz`` for liveness, ``/readyz`` for readiness."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

logger = logging.getLogger("pictograph")

Check: TypeAlias = Callable[[], Awaitable[object]]
"""Raises while a dependency of the server does not work."""

NO_CHECKS: Mapping[str, Check] = MappingProxyType({})

CHECK_TIMEOUT_SECONDS = 5
REUSE_SECONDS = 1.0
"""How long an outcome is reused, so that many requests cause few checks."""

LIVENESS_PATH, READINESS_PATH = "/healthz", "/readyz"
HEALTH_PATHS = (LIVENESS_PATH, READINESS_PATH)
"""Load balancers ask these under any host, and also while the server is busy."""


async def liveness(_: Request) -> Response:
    """Answer 200 while the process serves requests."""
    return JSONResponse({"status": "ok"})


@dataclass(slots=True)
class Readiness:
    """``/readyz``: 200 when searching works, otherwise 503; with the names of all failing checks.

    While only checks of ``degraded`` fail, searching works and something else does not: the status
    is "degraded", and the server keeps its traffic. A server that was told to stop is not ready, so
    that no more requests are sent to it.
    """

    checks: Mapping[str, Check]
    degraded: Mapping[str, Check]
    is_draining: asyncio.Event
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _outcomes: dict[str, bool] = field(default_factory=dict)
    _checked_at: float = -math.inf

    async def respond(self, _: Request) -> Response:
        """Run all checks concurrently. Requests at the same time share one run."""
        if self.is_draining.is_set():
            return JSONResponse(
                {"status": "stopping", "checks": {}}, status_code=HTTPStatus.SERVICE_UNAVAILABLE
            )
        async with self._lock:
            if time.monotonic() > self._checked_at + REUSE_SECONDS:
                named = dict(self.checks) | dict(self.degraded)
                passed = await asyncio.gather(*(_passes(*each) for each in named.items()))
                self._outcomes = dict(zip(named, passed, strict=True))
                self._checked_at = time.monotonic()
            outcomes = self._outcomes
        is_ready = all(outcomes[name] for name in self.checks)
        ready = "ready" if all(outcomes.values()) else "degraded"
        return JSONResponse(
            {
                "status": ready if is_ready else "not ready",
                "checks": {name: "ok" if ok else "failing" for name, ok in outcomes.items()},
            },
            status_code=HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE,
        )


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - the client gets the name, the log the error
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        logger.warning("not ready: %s: %s", name, reason or type(error).__name__)
        return False
    return True
