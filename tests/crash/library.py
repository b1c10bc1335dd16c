"""A library whose processes are killed: its server, its commands and its PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx
import psutil  # type: ignore[import-untyped] # it ships no types

from postcards import MODEL
from tests.crash.processes import START_SECONDS
from tests.e2e.process import KEY, environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.crash.failpoints import Failpoint
    from tests.crash.processes import Launcher, Process

POLL_SECONDS = 0.05
TWO_DAYS_SECONDS = 2 * 24 * 60 * 60
SPARING = {"decode_workers": 1, "torch_threads": 1, "database_pool_size": 8}
"""Settings under which a server starts quickly."""

FINAL = {"trash_days": 0, "import_grace_days": 0}
"""Images that are deleted or missing lose their bytes at once, so that orphaned files are known."""


@dataclass
class Library:
    """A library in a folder of its own, with at most one server."""

    name: str
    folder: Path
    launcher: Launcher
    more_settings: Mapping[str, object] = field(default_factory=dict)
    server: Process | None = None
    kills: int = 0
    starts: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = self._connect()

    @property
    def data_folder(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def armed(self) -> Path:
        """The file that arms failpoints."""
        return self.folder / "armed"

    @property
    def settings(self) -> dict[str, object]:
        """The settings of every process."""
        return {
            "model": MODEL,
            "data_dir": self.data_folder,
            "api_key": KEY,
            "port": self.port,
            **SPARING,
            **FINAL,
            **self.more_settings,
        }

    async def fork(self, *arguments: str, failpoint: Failpoint | None = None) -> Process:
        """Run a command, and return its process."""
        values = environment(self.settings)
        return await self.launcher.fork(arguments, environment=values, failpoint=failpoint)

    async def run(self, *arguments: str) -> str:
        """Run a command to its end, and return what it says. It must succeed."""
        process = await self.fork(*arguments)
        await process.wait()
        assert process.status == 0, f"{arguments}: {process.status}: {process.said}"
        return process.said

    async def start(self, failpoint: Failpoint | None = None) -> None:
        """Start a server, and wait until it answers."""
        await self.start_only(failpoint)
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self.server
            assert not self.server.has_ended, f"{self.name} did not start: {self.server.said}"
            assert time.monotonic() < deadline, f"{self.name} does not answer: {self.server.said}"
            with suppress(httpx.TransportError):
                if (await self.http.get("/healthz", timeout=5)).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(POLL_SECONDS)

    async def start_only(self, failpoint: Failpoint | None = None) -> None:
        """Start a server, and wait for nothing."""
        assert self.server is None or self.server.has_ended
        # The connections of the server before are broken.
        await self.http.aclose()
        self.http = self._connect()
        self.starts += 1
        self.server = await self.fork("serve", failpoint=failpoint)

    async def kill(self) -> None:
        """Kill the server."""
        if self.server and not self.server.has_ended:
            self.server.send(signal.SIGKILL)
            await self.server.wait()
            self.kills += 1

    async def stop(self) -> None:
        """Stop the server as an operator does."""
        if self.server and not self.server.has_ended:
            self.server.send(signal.SIGTERM)
            await self.server.wait()
            assert self.server.status in {0, 130}, f"{self.server.status}: {self.server.said}"

    def find_postmaster(self) -> psutil.Process | None:
        """Return the embedded PostgreSQL, if it runs."""
        for file in self.data_folder.glob("postgres/**/postmaster.pid"):
            with suppress(psutil.Error, ValueError, IndexError, OSError):
                process = psutil.Process(int(file.read_text().splitlines()[0]))
                if process.name() == "postgres":
                    return process
        return None

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket of the embedded PostgreSQL, which runs."""
        postmaster = self.find_postmaster()
        assert postmaster
        # The fifth line of PostgreSQL's own file.
        return Path((Path(postmaster.cwd()) / "postmaster.pid").read_text().splitlines()[4])

    def kill_postgres(self) -> bool:
        """Kill the embedded PostgreSQL, as a loss of power does; return whether it ran."""
        postmaster = self.find_postmaster()
        if postmaster is None:
            return False
        for process in (postmaster, *postmaster.children()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return True

    def _connect(self) -> httpx.AsyncClient:
        limits = httpx.Limits(keepalive_expiry=2)
        headers = {"Authorization": f"Bearer {KEY}"}
        return httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits, headers=headers)

    async def close(self) -> None:
        """End all processes and connections."""
        await self.http.aclose()
        await self.kill()
        if postmaster := self.find_postmaster():
            postmaster.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(psutil.wait_procs, [postmaster], 30)

    def age_files(self) -> None:
        """Let the files of images look two days old."""
        then = time.time() - TWO_DAYS_SECONDS
        for path in (self.data_folder / "files").rglob("*"):
            with suppress(FileNotFoundError):
                os.utime(path, (then, then))

    def stored_ids(self) -> set[str]:
        """Return the ids of the images that have files."""
        names = {path.parent.name for path in (self.data_folder / "files").glob("*/*/*")}
        return {name for name in names if len(name) == len(str(UUID(int=0)))}

    def add_orphans(self) -> None:
        """Copy the files of an image under an id that no image has."""
        folder = next((self.data_folder / "files").glob("*/*"))
        orphan = str(uuid4())
        shutil.copytree(
            folder, folder.with_name(orphan[: -len(folder.parent.name)] + folder.name[-2:])
        )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
