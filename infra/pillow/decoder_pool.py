"""A pool of decoder processes, with limits of time and memory for each picture."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Self

from domain.errors import InvalidContent, Misconfigured
from infra.pillow.decoder_protocol import (
    LENGTH_PREFIX,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    pack_message,
    unpack_response,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from infra.pillow.decoder_protocol import Response

_START_TIMEOUT_SECONDS = 60
_EXIT_TIMEOUT_SECONDS = 1
_MAX_TASKS_PER_PROCESS = 500
_INHERITED_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """The resources of a process for one picture."""

    seconds: float
    """Of wall-clock time, and of CPU time."""
    memory_bytes: int
    """Of address space."""


class DecoderPool:
    """Runs tasks in ``workers`` processes; urgent tasks have priority over waiting ones.

    An async context manager. A process is killed and replaced when it exceeds a limit, when it
    dies, and when the caller of its task is cancelled.
    """

    def __init__(self, workers: int, limits: DecoderLimits) -> None:
        self._slots = [_ProcessSlot(limits) for _ in range(workers)]
        self._free = list(self._slots)
        # A heap by priority, then by arrival.
        self._waiters: list[tuple[bool, int, asyncio.Future[_ProcessSlot]]] = []
        self._arrivals = count()

    async def __aenter__(self) -> Self:
        """Start every process. Raises Misconfigured if they do not start."""
        starts = (slot.start() for slot in self._slots)
        # All starts have ended before a process is killed: two readers of one pipe are an error.
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        failures = [each for each in outcomes if each is not None]
        if not failures:
            return self
        await self.__aexit__()
        if isinstance(failures[0], asyncio.IncompleteReadError | OSError | TimeoutError):
            raise Misconfigured(
                "The processes that decode pictures end before they are ready; "
                "see their messages on standard error."
            ) from failures[0]
        raise failures[0]

    async def __aexit__(self, *_: object) -> None:
        """Kill every process."""
        await asyncio.gather(*(slot.kill() for slot in self._slots))

    async def run(self, task: object, data: bytes, *, urgent: bool = False) -> Response:
        """Return the response to a task. Raises InvalidContent if its process was killed."""
        async with self._acquire(urgent=urgent) as slot:
            return await slot.run(pack_message(task, data))

    @asynccontextmanager
    async def _acquire(self, *, urgent: bool) -> AsyncIterator[_ProcessSlot]:
        if self._free:
            slot = self._free.pop()
        else:
            waiter = asyncio.get_running_loop().create_future()
            heappush(self._waiters, (not urgent, next(self._arrivals), waiter))
            try:
                slot = await waiter
            except asyncio.CancelledError:
                # Cancelled after the slot was assigned: it has to go to the next waiter.
                if waiter.done() and not waiter.cancelled():
                    self._release(waiter.result())
                raise
        try:
            yield slot
        finally:
            self._release(slot)

    def _release(self, slot: _ProcessSlot) -> None:
        while self._waiters:
            _, _, waiter = heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(slot)
                return
        self._free.append(slot)


@dataclass
class _ProcessSlot:
    """A slot of the pool, with its current process."""

    limits: DecoderLimits
    process: Process | None = None
    task_count: int = 0

    async def start(self) -> None:
        """Start a process, unless one runs that is not due for replacement."""
        is_running = self.process and self.process.returncode is None
        if is_running and self.task_count < _MAX_TASKS_PER_PROCESS:
            return
        await self.kill()
        # A command line and no multiprocessing, which would import the main program's file. The
        # environment has only the variables that Python needs, because the others have secrets.
        inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: a folder "infra" in the working directory must not shadow the installed package.
            *("-P", "-m", "infra.pillow.decoder_process"),
            *(str(self.limits.seconds), str(self.limits.memory_bytes)),
            stdin=PIPE,
            stdout=PIPE,
            env=inherited
            | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"},
            # Ctrl-C must reach only the server, which shuts down in order.
            start_new_session=True,
        )
        self.task_count = 0
        async with asyncio.timeout(_START_TIMEOUT_SECONDS):
            await self._receive()

    async def run(self, message: bytes) -> Response:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        self.task_count += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._send(message)
                return unpack_response(*await self._receive())
        except TimeoutError:
            await self.kill()
            raise InvalidContent(
                f"Decoding this picture takes longer than {self.limits.seconds:g} seconds; "
                "save it again as a plain JPEG or PNG."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            # Wait before the kill, so that the log has the status with which the process died.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_TIMEOUT_SECONDS):
                    if self.process:
                        await self.process.wait()
            status = await self.kill()
            log.warning("A decoder process ended with status %s while it decoded", status)
            raise InvalidContent(
                "This picture is damaged, or takes more time or memory than allowed; "
                "save it again as a plain JPEG or PNG."
            ) from None
        except BaseException:
            # The caller was cancelled. The next task would read the response to this one.
            await self.kill()
            raise

    async def kill(self) -> int | None:
        """Kill the process, if there is one, and return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.kill()
        # Drains the pipe: asyncio closes it only at its end.
        await asyncio.shield(process.communicate())
        return process.returncode

    async def _send(self, message: bytes) -> None:
        pipe = self.process and self.process.stdin
        assert pipe  # noqa: S101 - ``start`` has opened it
        pipe.write(message)
        await pipe.drain()

    async def _receive(self) -> tuple[bytes, bytes]:
        pipe = self.process and self.process.stdout
        assert pipe  # noqa: S101 - ``start`` has opened it
        head, body = LENGTH_PREFIX.unpack(await pipe.readexactly(LENGTH_PREFIX.size))
        if head > MAX_HEAD_BYTES or body > MAX_BODY_BYTES:
            raise ConnectionError("the response exceeds the maximum length")
        return await pipe.readexactly(head), await pipe.readexactly(body)
