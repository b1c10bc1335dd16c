"""Connections: how many there are at once, and how slow their clients may be."""

from __future__ import annotations

import fcntl
import json
import resource
import socket
import struct
import termios
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from graph.http.body import Pace
from graph.http.responses import error_body

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

HEAD_SECONDS = 10
"""How long the head of a request may take, and the rest of a body that was refused."""

SPARE_CONNECTIONS = 64
"""Connections beyond the most, on which health checks are answered and other requests get 503."""

CROWDED = "is_crowded"
"""The state of a request on one of SPARE_CONNECTIONS."""

DESCRIPTORS_WITHOUT_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The most connections at once, and the slowest pace of a client that takes a response."""

    max_connections: int = 1_000
    pace: Pace = field(default_factory=Pace)


def raise_descriptor_limit() -> int:
    """Raise the process's soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, DESCRIPTORS_WITHOUT_LIMIT) if hard == resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def http_protocol(limits: ConnectionLimits) -> type[HttpProtocol]:
    """Return the protocol of connections under limits."""
    return type("LimitedHttpProtocol", (HttpProtocol,), {"limits": limits})


class HttpProtocol(H11Protocol):
    """uvicorn's connection, which has no timeouts for requests and responses of its own."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    _head_timer: asyncio.TimerHandle | None = None
    _taking_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or answer 503 and close it where there are too many."""
        others = len(self.connections)
        super().connection_made(transport)
        self._limit_silence()
        if others >= self.limits.max_connections + SPARE_CONNECTIONS:
            self._answer(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server has too many connections; try again in a second.",
                headers=[("Retry-After", "1")],
            )
            return
        if others >= self.limits.max_connections:
            self.app_state = {**self.app_state, CROWDED: True}
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        super().connection_lost(exc)
        for timer in (self._head_timer, self._taking_timer):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Handle data of the client."""
        super().data_received(data)
        self._watch_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Pass the connection on. The WebSocket's pings find out slow clients."""
        if self._head_timer:
            self._head_timer.cancel()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch_head()
        if self.transport.get_write_buffer_size():
            self._watch_taking()

    def pause_writing(self) -> None:
        """Begin to measure how fast the client takes the response."""
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        """Stop to measure, unless what is left is the end of a response."""
        super().resume_writing()
        if self._taking_timer:
            self._taking_timer.cancel()
            self._taking_timer = None
        # Before its end, a response may still grow, and the next pause measures from there.
        is_complete = self.cycle is not None and self.cycle.response_complete
        if is_complete and self.transport.get_write_buffer_size():
            self._watch_taking()

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request."""
        self._answer(HTTPStatus.BAD_REQUEST, msg)

    def _limit_silence(self) -> None:
        """Let the kernel cut a client that takes nothing of what was sent, where it can.

        It may have vanished, or not read. No timer here runs for a few bytes of an event stream
        that goes on: only the kernel knows how long they wait.
        """
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = round(1_000 * self.limits.pace.idle_seconds)
            with suppress(OSError):  # the client is gone already
                self.transport.get_extra_info("socket").setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds
                )

    def _watch_head(self) -> None:
        """Start the timer while the head of a request or a refused body is awaited."""
        is_refused = self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
        if self.transport.is_closing() or not (self.conn.their_state is h11.IDLE or is_refused):
            if self._head_timer:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _watch_taking(self) -> None:
        if self._taking_timer:
            self._taking_timer.cancel()
        self._taking_timer = self.loop.call_later(
            self.limits.pace.idle_seconds, self._check_taking, self.cycle, self._untaken()
        )

    def _check_taking(self, cycle: RequestResponseCycle, untaken: int) -> None:
        """Cut a client that took too little of what was sent since the timer was started."""
        self._taking_timer = None
        now = self._untaken()
        if not self.transport.get_write_buffer_size():
            return
        seconds = self.limits.pace.idle_seconds
        is_same_response = self.cycle is cycle
        if is_same_response and untaken - now < seconds * self.limits.pace.min_bytes_per_second:
            self.logger.warning(
                "cut a client that took less than %d bytes in a second",
                self.limits.pace.min_bytes_per_second,
            )
            self.transport.abort()
        else:
            self._watch_taking()

    def _untaken(self) -> int:
        """Return how many bytes the client has not acknowledged, those in the kernel included."""
        try:
            queued = fcntl.ioctl(
                self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4)
            )
        except OSError:
            queued = bytes(4)
        return self.transport.get_write_buffer_size() + int(struct.unpack("i", queued)[0])

    def _answer(
        self, status: HTTPStatus, message: str, *, headers: list[tuple[str, str]] | None = None
    ) -> None:
        """Answer without a request that could be passed on, and close the connection."""
        body = json.dumps(error_body(status, message)).encode()
        head = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            ("X-Request-ID", uuid4().hex),
            *(headers or []),
        ]
        lines = "".join(f"{name}: {value}\r\n" for name, value in head)
        self.transport.write(f"HTTP/1.1 {status} {status.phrase}\r\n{lines}\r\n".encode() + body)
        self.transport.close()
