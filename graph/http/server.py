"""Serves HTTP with uvicorn, with a graceful shutdown and background tasks."""

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

SHUTDOWN_GRACE_SECONDS = 10
"""How long running requests may continue after a signal to stop."""

MAX_WEBSOCKET_MESSAGE_BYTES = 1 << 20


def _nothing() -> None:
    pass


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to a port; 0 picks a free one. Raises Misconfigured."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise Misconfigured(
            f"The server cannot listen on port {port} of {host} ({error.strerror}): choose another "
            "port with --port or PICTOGRAPH_PORT, or another address with --host or "
            "PICTOGRAPH_HOST."
        ) from None
    return bound


async def serve(  # noqa: PLR0913 - a server's settings and callbacks
    http: Starlette,
    bound: socket.socket,
    *,
    log_level: str,
    ready: Callable[[str], None],
    stopping: Callable[[], None] = _nothing,
    background: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is called with the URL once requests are served.

    ``stopping`` is called when the shutdown begins, so that endless streams can end. The
    ``background`` tasks start with ``ready`` and are cancelled when the server has stopped.
    """
    config = uvicorn.Config(
        http,
        log_config=None,
        log_level=log_level,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS,
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
    )
    host, port = bound.getsockname()[:2]
    url_host = f"[{host}]" if ":" in host else host
    tasks: list[asyncio.Task[None]] = []

    def started() -> None:
        ready(f"http://{url_host}:{port}")
        tasks.extend(asyncio.create_task(task()) for task in background)

    try:
        await _Server(config, started, stopping).serve(sockets=[bound])
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("a background task failed", exc_info=outcome)


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
        """Stop at a signal, and return normally.

        uvicorn would raise the signal again afterwards, which would kill the program before it has
        closed its database and its processes.
        """
        loop = asyncio.get_running_loop()
        handled = (signal.SIGINT, signal.SIGTERM)
        for number in handled:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)
