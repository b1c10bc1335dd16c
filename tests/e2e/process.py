"""`pictograph` as a process and inside this one, and what a client says to its server."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO
from unittest.mock import patch

import httpx
from sqlalchemy import make_url

from infra.settings import read_settings
from pictograph import app
from pictograph.cli import main
from pictograph.cli.console import LOGGED_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[2]
COMMAND = (str(Path(sys.executable).with_name("pictograph")),)
KEY = "a-key-of-the-tests-with-every-scope"
START_SECONDS = 300  # of a machine that has much else to do
UPLOAD = """
mutation Upload($files: [Upload!]!, $tags: [String!]) {
  uploadImages(input: {files: $files, tags: $tags}) {
    results { isDuplicate image { id filename url } }
    userErrors { field message code }
  }
}
"""


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """The variables of a process: this one's but for ours, and ``settings``."""
    inherited = {name: value for name, value in os.environ.items() if "PICTOGRAPH" not in name}
    return inherited | {
        f"PICTOGRAPH_{name.upper()}": str(value)
        for name, value in {"drain_seconds": 0, **settings}.items()
    }


def cache_models_in(folder: Path) -> None:
    """Let this process and its children keep converted models there, as tests/conftest.py does."""
    os.environ["XDG_CACHE_HOME"] = str(folder)


def pictograph(*arguments: str, settings: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end inside this process, which has imported the libraries.

    Only the main thread can do so, and only while it runs no event loop. ``run_process`` starts
    the program as users do.
    """
    out, err = io.StringIO(), io.StringIO()
    argv = ["pictograph", *arguments]
    with (
        patch.dict(os.environ, environment(settings), clear=True),
        patch.object(sys, "argv", argv),
        redirect_stdout(out),
        redirect_stderr(err),
        _logging_to(logging.StreamHandler(err)),
    ):
        status = _exit_status(main.main)
    return subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())


def run_process(
    *arguments: str, settings: Mapping[str, object]
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a process of its own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )


def typed_url(url: str) -> str:
    """Return SQLAlchemy's URL of a database as users write it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class Server:
    """A client of a running `pictograph serve`."""

    def __init__(self, url: str, said: list[str], settings: Mapping[str, object]) -> None:
        self.url = url
        self.said = said
        self.settings = settings
        # The server closes idle connections after five seconds: none is used that late.
        limits = httpx.Limits(keepalive_expiry=2)
        self.http = httpx.Client(base_url=url, timeout=60, limits=limits)

    @classmethod
    @contextmanager
    def in_thread(cls, settings: Mapping[str, object]) -> Iterator[Self]:
        """Serve in a thread of this process, which has imported the libraries, on a free port."""
        with patch.dict(os.environ, environment(settings), clear=True):
            given = read_settings(port=0)
        said = _Lines()
        address: queue.Queue[str | None] = queue.Queue()
        failures: list[BaseException] = []
        loop = _LoopInThread()

        def serve() -> None:
            try:
                with asyncio.Runner(loop_factory=lambda: loop) as runner:
                    runner.run(app.serve(given, ready=address.put))
            except BaseException as failure:  # noqa: BLE001 - told below
                failures.append(failure)
            address.put(None)

        thread = threading.Thread(target=serve, daemon=True)
        with _logging_to(said):
            thread.start()
            try:
                url = address.get(timeout=START_SECONDS)
                if url is None:
                    raise failures[0]
                server = cls(url, said.lines, settings)
                with server.http:
                    yield server
            finally:
                loop.send_signal(signal.SIGTERM)
                thread.join(timeout=60)
                assert not thread.is_alive(), said.lines
        if failures:
            raise AssertionError("the server did not stop in order") from failures[0]

    def wait_for(self, pattern: str, *, seconds: int = 60) -> str:
        """Return the first group of what the process says, sooner or later."""
        for _ in range(10 * seconds):
            if found := re.search(pattern, "".join(self.said)):
                return found[1]
            time.sleep(0.1)
        raise AssertionError("".join(self.said))

    def ask(self, query: str, *, key: str | None = KEY, **variables: object) -> dict[str, Any]:
        """Send an operation and return its data."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = self.http.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def upload(
        self, files: Mapping[str, bytes], *, tags: Sequence[str] = (), key: str = KEY
    ) -> dict[str, Any]:
        """Send files as the multipart request specification says."""
        operations = {
            "query": UPLOAD,
            "variables": {"files": [None] * len(files), "tags": list(tags)},
        }
        return self.multipart(operations, "variables.files", files, key=key)["uploadImages"]  # type: ignore[no-any-return]  # JSON

    def multipart(
        self,
        operations: Mapping[str, object],
        path: str,
        files: Mapping[str, bytes] | Sequence[tuple[str, bytes]],
        *,
        key: str | None = KEY,
    ) -> dict[str, Any]:
        """Send an operation with files in the list at ``path``, or one file at it."""
        named = list(files.items() if isinstance(files, Mapping) else files)
        places = [f"{path}.{i}" for i in range(len(named))] if path.endswith("s") else [path]
        answer = self.http.post(
            "/graphql",
            data={
                "operations": json.dumps(operations),
                "map": json.dumps({str(i): [place] for i, place in enumerate(places)}),
            },
            files={str(i): file for i, file in enumerate(named)},
            headers={"GraphQL-Require-Preflight": "1"}
            | ({"Authorization": f"Bearer {key}"} if key else {}),
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data


class ServerProcess(Server):
    """A `pictograph serve` in a process of its own, and a client of it."""

    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def start(
        cls,
        settings: Mapping[str, object],
        *,
        command: Sequence[str] = ("serve",),
    ) -> Iterator[Self]:
        """Start a server on a free port, wait for its address, and stop it at the end."""
        process = subprocess.Popen(
            [*COMMAND, *command],
            env=environment({"port": 0, **settings}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout
        said: list[str] = []
        address: queue.Queue[str | None] = queue.Queue()
        arguments = (process.stdout, said, address)
        listening = threading.Thread(target=_listen, args=arguments, daemon=True)
        listening.start()
        try:
            url = address.get(timeout=START_SECONDS)
            assert url is not None, "".join(said)
            server = cls(url, said, settings)
            server.process = process
            with server.http:
                yield server
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            listening.join(timeout=10)
            process.stdout.close()


def _listen(output: TextIO, said: list[str], address: queue.Queue[str | None]) -> None:
    for line in output:
        said.append(line)
        if found := re.search(r"answers at (http://\S+)/graphql", line):
            address.put(found[1])
    address.put(None)


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)}\n")


class _LoopInThread(asyncio.SelectorEventLoop):
    """An event loop for which signals are function calls: only the main thread gets real ones."""

    def __init__(self) -> None:
        super().__init__()
        self._on_signal: dict[int, Callable[[], object]] = {}

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        self._on_signal[sig] = partial(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        return self._on_signal.pop(sig, None) is not None

    def send_signal(self, number: int) -> None:
        if callback := self._on_signal.get(number):
            self.call_soon_threadsafe(callback)


@contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    """Log as the commands set it up, and as before afterwards."""
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in LOGGED_PACKAGES]
    levels = [logger.level for logger in ours]
    for logger in ours:
        logger.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in zip(ours, levels, strict=True):
            logger.setLevel(level)


def _exit_status(command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
