"""Health endpoints: ``/healthz`` for liveness, ``/readyz`` for readiness."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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

LIVENESS_PATH, READINESS_PATH = "/healthz", "/readyz"
HEALTH_PATHS = (LIVENESS_PATH, READINESS_PATH)
"""Load balancers ask these under any host, and also while the server is busy."""


async def liveness(_: Request) -> Response:
    """Answer 200 while the process serves requests."""
    return JSONResponse({"status": "ok"})


@dataclass(frozen=True, slots=True)
class Readiness:
    """``/readyz``: 200 when all dependencies work, otherwise 503 with the names of the failing.

    A server that was told to stop is not ready, so that no more requests are sent to it.
    """

    checks: Mapping[str, Check]
    is_draining: asyncio.Event

    async def respond(self, _: Request) -> Response:
        """Run all checks concurrently."""
        if self.is_draining.is_set():
            return JSONResponse(
                {"status": "stopping", "checks": {}}, status_code=HTTPStatus.SERVICE_UNAVAILABLE
            )
        passed = await asyncio.gather(*(_passes(*named) for named in self.checks.items()))
        outcomes = dict(zip(self.checks, passed, strict=True))
        return JSONResponse(
            {
                "status": "ready" if all(passed) else "not ready",
                "checks": {name: "ok" if ok else "failing" for name, ok in outcomes.items()},
            },
            status_code=HTTPStatus.OK if all(passed) else HTTPStatus.SERVICE_UNAVAILABLE,
        )


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - the client gets the name, the log the error
        logger.warning("not ready: %s: %s", name, error)
        return False
    return True
