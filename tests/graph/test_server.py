"""The server process: background tasks and shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from graph.http import server

if TYPE_CHECKING:
    import pytest


async def test_background_tasks_end_with_the_server_and_their_errors_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events: list[str] = []

    async def waiting() -> None:
        events.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            events.append("ended")

    async def failing() -> None:
        message = "no postcards today"
        raise RuntimeError(message)

    def ready(url: str) -> None:
        events.append(url)
        asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGTERM)

    with server.bind("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        await server.serve(
            Starlette(), listening, log_level="info", ready=ready, background=[waiting, failing]
        )

    assert [url, "begun", "ended"] == events
    [failure] = [record for record in caplog.records if record.name == "graph.http.server"]
    assert failure.exc_info
    assert "no postcards today" == str(failure.exc_info[1])
