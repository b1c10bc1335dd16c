"""Serves HTTP with uvicorn, with a graceful shutdown and background tasks."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from domain.errors import Misconfigured
from graph.http.protocol import ConnectionLimits, http_protocol, raise_descriptor_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence
    from types import FrameType

    from starlette.applications import Starlette

logger = logging.getLogger(__name__)

SHUTDOWN_GRACE_SECONDS = 10
"""How long running requests may continue after a signal to stop."""

MAX_WEBSOCKET_MESSAGE_BYTES = 1 << 18


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
    limits: ConnectionLimits | None = None,
    drain_seconds: float = 0,
    ready: Callable[[str], None],
    draining: Callable[[], None] = _nothing,
    stopping: Callable[[], None] = _nothing,
    background: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is called with the URL once requests are served.

    ``draining`` is called at the signal. After SIGTERM all requests are still answered for
    ``drain_seconds``, in which load balancers find out that the server is not ready. Then
    ``stopping`` is called, so that endless streams can end, and running requests have
    SHUTDOWN_GRACE_SECONDS.

    The ``background`` tasks start with ``ready`` and are cancelled when the server has stopped.
    """
    limits = limits or ConnectionLimits()
    # Half of the descriptors are left for files, the database and the object store.
    most = raise_descriptor_limit() // 2
    if limits.max_connections > most:
        logger.warning("%d connections are accepted at once: the limit of open files is low", most)
        limits = replace(limits, max_connections=most)
    config = uvicorn.Config(
        http,
        http=http_protocol(limits),
        log_config=None,
        log_level=log_level,
        lifespan="off",
        server_header=False,
        # The application reads them itself.
        proxy_headers=False,
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
        server = _Server(config, started, drain_seconds, draining, stopping)
        await server.serve(sockets=[bound])
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("a background task failed", exc_info=outcome)


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None],
        drain_seconds: float,
        *stages: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain_seconds = drain_seconds
        self._signalled_again = asyncio.Event()
        self._draining, self._stopping = stages

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining()
        if signal.SIGTERM in self._captured_signals:
            await self._drain()
        self._stopping()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Wait, or until another signal comes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._signalled_again.wait(), self._drain_seconds)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at another signal without draining."""
        if self.should_exit:
            self._signalled_again.set()
        super().handle_exit(sig, frame)

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
