"""Processes of the program that need not import its libraries: forks of one that has them.

Each is a process of its own, with arguments, variables, folder and output of its own, which runs
the program from its first line: nothing of ours is imported before the fork. What it saves is
torch and its like, which take most of a start.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

ROOT = Path(__file__).parents[2]
PROGRAM = "from pictograph.cli import main; main.main()"
STEM = (
    sys.executable,
    "-c",
    f"from tests.e2e.forking import wait_for_a_fork; wait_for_a_fork(); {PROGRAM}",
)
LIBRARIES = (
    *(
        "aiobotocore.session",
        "alembic.command",
        "asyncpg",
        "numpy",
        "pgvector.sqlalchemy",
        "psutil",
    ),
    *("PIL.Image", "pydantic_settings", "rich.progress", "sqlalchemy.ext.asyncio", "sqlmodel"),
    *("starlette.applications", "strawberry.asgi", "typer", "uvicorn", "websockets"),
    *("torch", "transformers"),
)
OF_TRANSFORMERS = ("AutoTokenizer", "CLIPImageProcessorPil", "CLIPModel", "CLIPTokenizer")
NUMBER = struct.Struct("i")
COVERAGE = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
FORKS_SAFELY = sys.platform == "linux"


class Fork:
    """A process of the program, handled as a subprocess.Popen is."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.pid = self._next()
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(PROGRAM, timeout or 0)
            self.returncode = self._next()
            os.close(self._status)
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _next(self) -> int:
        number: int = NUMBER.unpack(os.read(self._status, NUMBER.size))[0]
        return number


def fork(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    stdout: int,
    stderr: int,
) -> Fork:
    """Run the program with what it says and complains going to two file descriptors."""
    job = json.dumps({"arguments": arguments, "env": dict(env), "cwd": str(cwd or Path.cwd())})
    theirs, ours = os.pipe()
    status, told = os.pipe()
    socket.send_fds(_stem(), [b"!"], [theirs, stdout, stderr, told])
    os.close(theirs)
    os.close(told)
    with os.fdopen(ours, "w") as file:
        file.write(job)
    return Fork(status)


@cache
def _stem() -> socket.socket:
    """Start what forks, once; it ends with this process."""
    ours, theirs = socket.socketpair()
    stem = subprocess.Popen(
        STEM,
        # It runs no line of ours, and tracing the libraries' takes as long as they do.
        env={name: value for name, value in os.environ.items() if name not in COVERAGE},
        cwd=ROOT,
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        stem.wait()

    atexit.register(end)
    return ours


def wait_for_a_fork() -> None:
    """Import the libraries and fork whenever asked to; return in a fork, and nowhere else."""
    for name in LIBRARIES:
        import_module(name)
    for name in OF_TRANSFORMERS:
        getattr(sys.modules["transformers"], name)
    gc.collect()
    gc.freeze()
    # Ctrl-C is for the program, and for who runs the tests; nobody waits for who keeps a program.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as asked:
        while True:
            message, given, _, _ = socket.recv_fds(asked, 1, 4)
            if not message:
                sys.exit()
            if os.fork() == 0:
                break
            for descriptor in given:
                os.close(descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    job, stdout, stderr, status = given
    if program := os.fork():
        for descriptor in (0, 1, 2, job, stdout, stderr):
            os.close(descriptor)
        _keep(program, status)
    os.close(status)
    _become(job, stdout, stderr)


def _become(job: int, stdout: int, stderr: int) -> None:
    """Take over all that makes a process this program's and no other's."""
    for place, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), stdout, stderr)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    with os.fdopen(job) as file:
        given = json.load(file)
    os.environ.clear()
    os.environ.update(given["env"])
    os.chdir(given["cwd"])
    sys.argv[1:] = given["arguments"]
    if any(name in os.environ for name in COVERAGE):
        # What the interpreter does at its start.
        import_module("coverage").process_startup()


def _keep(program: int, status: int) -> NoReturn:
    """Tell which process it is, and how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(status, NUMBER.pack(program))
    ended = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    os.write(status, NUMBER.pack(ended))
    os._exit(0)
