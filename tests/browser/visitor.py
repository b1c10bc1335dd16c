"""A user at a page, and all that the browser does and says meanwhile."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.async_api import (
        BrowserContext,
        ConsoleMessage,
        Error,
        Page,
        Request,
        ViewportSize,
        WebSocket,
    )

    from tests.e2e.process import Server

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}
KEY_NAME = "pictograph.key"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Violations of the policy reach the console only where they stop something.
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI}`));
"""
# What moves by itself; what follows a key or a click within half a second does not count.
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries()
  .filter(({ hadRecentInput }) => !hadRecentInput)
  .map(({ value, sources }) => [value, ...sources.map(({ node }) => node?.outerHTML)])))
  .observe({ type: "layout-shift", buffered: true });
"""
REMEMBER_KEY = "if (location.origin === {origin!r}) sessionStorage.setItem({name!r}, {key!r});"


@dataclass
class Visitor:
    """What a page asked for, and what it complained of that no test announced."""

    page: Page
    server: Server
    traced: bool
    requests: list[Request] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    @classmethod
    async def arrive(
        cls, context: BrowserContext, server: Server, *, key: str | None, traced: bool
    ) -> Self:
        """Open an empty page, with everything watched that will happen there."""
        await context.add_init_script(WATCH_POLICY)
        await context.add_init_script(WATCH_SHIFTS)
        if key:
            script = REMEMBER_KEY.format(origin=server.url, name=KEY_NAME, key=key)
            await context.add_init_script(script)
        visitor = cls(await context.new_page(), server, traced)
        context.on("request", visitor._note_request)
        visitor.page.on("websocket", visitor._note_socket)
        visitor.page.on("console", visitor._note_console)
        visitor.page.on("pageerror", visitor._note_error)
        return visitor

    def expect_complaint(self, pattern: str) -> None:
        """Announce that the console will say what matches."""
        self.expected.append(pattern)

    @property
    def complaints(self) -> list[str]:
        """What was said at the console and not expected, and what was asked of other machines."""
        unexpected = [
            line for line in self.said if not any(re.search(p, line) for p in self.expected)
        ]
        return unexpected + [f"asked another machine: {url}" for url in self.foreign]

    def asked_for(self, path: str) -> list[Request]:
        """Return the requests so far whose path matches."""
        return [r for r in self.requests if re.search(path, urlsplit(r.url).path)]

    def _note_request(self, request: Request) -> None:
        self.requests.append(request)
        self._note_url(request.url)

    def _note_socket(self, socket: WebSocket) -> None:
        self._note_url(socket.url)

    def _note_url(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in LOOPBACK:
            self.foreign.append(url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.said.append(f"console: {message.text} ({message.location['url']})")

    def _note_error(self, error: Error) -> None:
        self.said.append(f"page: {error}")
