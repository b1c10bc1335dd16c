"""A local server with the part of the Hugging Face hub's API that downloads a model."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "c0ffee" + 34 * "0"


class Hub(ThreadingHTTPServer):
    """Serves the folders in ``models`` by name, and refuses the models in ``gated``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.models: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.requests: list[str] = []
        """The paths that were requested."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class HubRequest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        parts = self.path.partition("?")[0].strip("/").split("/")
        is_api = parts[:2] == ["api", "models"]
        if is_api:
            parts = parts[2:]
        name = "/".join(parts[:2])
        folder = self.server.models.get(name)
        if name in self.server.gated:
            self._respond(403, error="GatedRepo")
        elif folder is None:
            self._respond(404, error="RepoNotFound")
        elif is_api and parts[2:3] != ["tree"]:
            self._respond(200, json.dumps({"id": name, "sha": COMMIT}).encode())
        elif parts[2:3] == ["resolve"] and (folder / parts[-1]).is_file():
            self._respond(200, (folder / parts[-1]).read_bytes())
        else:
            self._respond(404, error="EntryNotFound")

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _respond(self, status: int, body: bytes = b"", *, error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""


@contextmanager
def running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
