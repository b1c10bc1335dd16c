"""The real process, as a user starts it, and what a client says to it."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Self, TextIO

import httpx

from tests.e2e.forking import FORKS_SAFELY, PROGRAM, ROOT, Fork, fork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    Process: TypeAlias = subprocess.Popen[bytes] | Fork

__all__ = ["COMMAND", "KEY", "ROOT", "UPLOAD", "Server", "environment", "pictograph"]

COMMAND = (sys.executable, "-c", PROGRAM)
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
        f"PICTOGRAPH_{name.upper()}": str(value) for name, value in settings.items()
    }


def start(  # noqa: PLR0913 - what makes a process
    arguments: Sequence[str],
    *,
    settings: Mapping[str, object],
    cwd: Path | None,
    stdout: int,
    stderr: int,
    cold: bool,
) -> Process:
    """Begin a command; ``cold`` as users do, not with its libraries imported."""
    env = environment(settings)
    if FORKS_SAFELY and not cold and "PICTOGRAPH_TESTS_COLD" not in os.environ:
        return fork(arguments, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
    command = [*COMMAND, *arguments]
    return subprocess.Popen(command, env=env, cwd=cwd, stdout=stdout, stderr=stderr)


def pictograph(
    *arguments: str, settings: Mapping[str, object], cwd: Path | None = None, cold: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = start(
            arguments,
            settings=settings,
            cwd=cwd,
            stdout=out.fileno(),
            stderr=err.fileno(),
            cold=cold,
        )
        try:
            status = process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, status, out.read(), err.read())


class Server:
    """A running `pictograph serve`, and a client of it."""

    def __init__(self, process: Process, url: str, said: list[str], *, data_dir: object) -> None:
        self.process = process
        self.url = url
        self.said = said
        self.data_dir = data_dir
        # The server closes idle connections after five seconds: none is used that late.
        limits = httpx.Limits(keepalive_expiry=2)
        self.http = httpx.Client(base_url=url, timeout=60, limits=limits)

    @classmethod
    @contextmanager
    def start(
        cls,
        settings: Mapping[str, object],
        *,
        command: Sequence[str] = ("serve",),
        cwd: Path | None = None,
        cold: bool = False,
    ) -> Iterator[Self]:
        """Start a server on a free port, wait for its address, and stop it at the end."""
        read, write = os.pipe()
        process = start(
            command,
            settings={"port": 0, **settings},
            cwd=cwd,
            stdout=write,
            stderr=write,
            cold=cold,
        )
        os.close(write)
        output = os.fdopen(read)
        said: list[str] = []
        address: queue.Queue[str | None] = queue.Queue()
        listening = threading.Thread(target=_listen, args=(output, said, address), daemon=True)
        listening.start()
        try:
            url = address.get(timeout=START_SECONDS)
            assert url is not None, "".join(said)
            server = cls(process, url, said, data_dir=settings.get("data_dir"))
            with server.http:
                yield server
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            listening.join(timeout=10)
            output.close()

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
        files: Mapping[str, bytes],
        *,
        key: str | None = KEY,
    ) -> dict[str, Any]:
        """Send an operation with files in the list at ``path``, or one file at it."""
        names = list(files)
        places = [f"{path}.{i}" for i in range(len(names))] if path.endswith("s") else [path]
        answer = self.http.post(
            "/graphql",
            data={
                "operations": json.dumps(operations),
                "map": json.dumps({str(i): [place] for i, place in enumerate(places)}),
            },
            files={str(i): (name, files[name]) for i, name in enumerate(names)},
            headers={"GraphQL-Require-Preflight": "1"}
            | ({"Authorization": f"Bearer {key}"} if key else {}),
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data


def _listen(output: TextIO, said: list[str], address: queue.Queue[str | None]) -> None:
    for line in output:
        said.append(line)
        if found := re.search(r"answers at (http://\S+)/graphql", line):
            address.put(found[1])
    address.put(None)
