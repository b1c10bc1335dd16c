"""Starts, kills and awaits processes of Pictograph, through a fork server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol

from tests.e2e.process import COMMAND, ROOT

if TYPE_CHECKING:
    import signal
    from asyncio.subprocess import Process as Subprocess
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from tests.crash.failpoints import Failpoint

START_SECONDS = 300.0


@dataclass(slots=True)
class Process:
    """A process of Pictograph, whose end a descriptor tells, also where it is no child."""

    pid: int
    log: Path
    status_file: Path
    subprocess: Subprocess | None = None
    """Where it is a child of this process."""
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._ended.set()
            return
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._ended.set()

        loop.add_reader(descriptor, end)

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._ended.is_set()

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs, and where it was killed."""
        if self.subprocess:
            code = self.subprocess.returncode
            return None if code is None or code < 0 else code
        return int(self.status_file.read_text() or -1) if self.status_file.exists() else None

    @property
    def said(self) -> str:
        """The output."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        if not self.has_ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self, seconds: float = START_SECONDS) -> None:
        """Wait for the end. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._ended.wait()
            if self.subprocess:
                await self.subprocess.wait()


class Launcher(Protocol):
    """Starts processes of Pictograph."""

    async def fork(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        failpoint: Failpoint | None = None,
    ) -> Process:
        """Run the program in a process of its own."""


@dataclass(slots=True)
class CommandLauncher:
    """Starts the command as users do, so that it shares no memory with other processes."""

    folder: Path
    """For the logs."""
    _numbers: count[int] = field(default_factory=count)

    async def fork(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        failpoint: Failpoint | None = None,
    ) -> Process:
        """Run the command. It has no failpoints."""
        assert failpoint is None
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{next(self._numbers):04}-{arguments[0]}.log"
        with log.open("ab") as output:
            started = await asyncio.create_subprocess_exec(
                *COMMAND,
                *arguments,
                env=dict(environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Process(started.pid, log, log.with_suffix(".status"), started)


@dataclass(slots=True)
class ForkServer:
    """A process that has imported the libraries, and forks others."""

    folder: Path
    """For the logs."""
    subprocess: Subprocess
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _numbers: count[int] = field(default_factory=count)

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[ForkServer]:
        """Start the server, and end it after the block. Processes that it forked go on."""
        folder.mkdir(parents=True, exist_ok=True)
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crash.fork_server"),
            cwd=ROOT,
            env=os.environ | threads,
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
        )
        server = cls(folder, process)
        try:
            assert "ready" == await server._answer()
            yield server
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def fork(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        failpoint: Failpoint | None = None,
    ) -> Process:
        """Run the program in a process of its own."""
        assert self.subprocess.stdin
        name = f"{next(self._numbers):04}-{arguments[0]}"
        log, status = self.folder / f"{name}.log", self.folder / f"{name}.status"
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "failpoint": asdict(failpoint) if failpoint else None,
            "log": str(log),
            "status": str(status),
        }
        async with self._turn:
            self.subprocess.stdin.write(f"{json.dumps(request)}\n".encode())
            await self.subprocess.stdin.drain()
            pid = int(await self._answer())
        return Process(pid, log, status)

    async def _answer(self) -> str:
        assert self.subprocess.stdout
        async with asyncio.timeout(START_SECONDS):
            line = await self.subprocess.stdout.readline()
        assert line, "the fork server has ended"
        return line.decode().strip()
