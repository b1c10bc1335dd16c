"""Cancels work whose client has disconnected."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")


async def run_while_connected(
    work: Coroutine[None, None, T], receive: Receive, *, may_cancel: Callable[[], bool]
) -> T:
    """Return the result of ``work``, or cancel it when the client disconnects.

    Raises ClientDisconnect where it was cancelled. What ``may_cancel`` refuses runs to its end. The
    body must have been received.
    """
    working = asyncio.create_task(work)
    disconnected = asyncio.create_task(wait_for_disconnect(receive))
    try:
        await asyncio.wait((working, disconnected), return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and may_cancel():
            raise ClientDisconnect
        return await working
    finally:
        for task in (working, disconnected):
            task.cancel()
        await asyncio.gather(working, disconnected, return_exceptions=True)


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
