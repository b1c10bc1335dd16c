"""Listening for HTTP with uvicorn."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

    from starlette.applications import Starlette

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10
"""How long requests may go on after the server was told to stop."""

MESSAGE_BYTES = 1 << 20


def _nothing() -> None:
    pass


def bind(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one. Raises Misconfigured, naming what is in the way."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(address)
        except OSError:
            taken.close()
            raise
    except OSError as error:
        raise Misconfigured(
            f"Port {port} on {host} cannot be listened on ({error.strerror}): choose another with "
            "--port or PICTOGRAPH_PORT, or another address with --host or PICTOGRAPH_HOST."
        ) from None
    return taken


async def serve(  # noqa: PLR0913 - what a server is told, and what it tells
    http: Starlette,
    listening: socket.socket,
    *,
    log_level: str,
    ready: Callable[[str], None],
    stopping: Callable[[], None] = _nothing,
    beside: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
) -> None:
    """Answer until SIGINT or SIGTERM; ``ready`` gets the address once requests are answered.

    ``stopping`` is called when that comes: what never ends by itself would be waited for.
    What is to run ``beside`` begins then, and ends with the server if it has not before.
    """
    config = uvicorn.Config(
        http,
        log_config=None,
        log_level=log_level,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws_max_size=MESSAGE_BYTES,
    )
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    tasks: list[asyncio.Task[None]] = []

    def answering() -> None:
        ready(f"http://{shown}:{port}")
        tasks.extend(asyncio.create_task(work()) for work in beside)

    try:
        await _Server(config, answering, stopping).serve(sockets=[listening])
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("what ran beside the server failed", exc_info=outcome)


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop at a signal and go on from there.

        uvicorn raises it again at the end, and the program would die before it has put away its
        database and its processes.
        """
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)
        for number in caught:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)
