"""A pool of decoder processes, with limits of time and memory for each picture."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from domain.concurrency import AgeingQueue, Priority
from domain.entities.images import Pixels
from domain.errors import InvalidContent, Misconfigured, Overloaded
from infra.pillow.decoder_protocol import (
    LENGTH_PREFIX,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    pack_message,
    unpack_response,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable

    from infra.pillow.decoder_protocol import Response

_START_TIMEOUT_SECONDS = 60
_EXIT_TIMEOUT_SECONDS = 1
_MAX_TASKS_PER_PROCESS = 500
_INHERITED_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# How long a process may wait for a processor, in addition to the CPU time of a picture.
_MAX_IDLE_SECONDS = 60
# A killed process is replaced, and its task runs again, after these pauses.
_REPLACEMENT_PAUSES_SECONDS = (0.1, 1.0)
# What a process does to itself with a picture. Any other signal comes from outside: from the
# kernel that is out of memory, or from whatever stops all processes of a service.
_SIGNALS_OF_FAULTS = frozenset(
    {
        *(signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL),
        *(signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP, signal.SIGXCPU),
    }
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """The resources of a process for one picture."""

    seconds: float
    """Of CPU time."""
    memory_bytes: int
    """Of address space."""


class DecoderPool:
    """Runs tasks in ``workers`` processes, in the order of an AgeingQueue.

    Examples never occupy every process, unless there is only one: who may only search cannot hold
    up uploads.

    An async context manager. A process is killed and replaced when it exceeds a limit, when it
    dies, and when the caller of its task is cancelled. A picture is refused for what decoding it
    does to the process. A process that is killed from outside, or that gets no CPU time, is not the
    picture's fault: its task runs again, and then ends in a refusal that can be retried.
    """

    def __init__(self, workers: int, limits: DecoderLimits) -> None:
        self._slots = [_ProcessSlot(limits) for _ in range(workers)]
        self._free = list(self._slots)
        self._waiters = AgeingQueue[asyncio.Future[_ProcessSlot]]()
        self._example_permits = max(1, workers - 1)
        self._is_closed = False

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
        """Kill every process. Tasks that run or wait end in refusals that can be retried."""
        self._is_closed = True
        await asyncio.gather(*(slot.close() for slot in self._slots))

    async def run(
        self,
        task: object,
        data: bytes,
        *,
        priority: Priority,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Response:
        """Return the response to a task.

        ``on_pixels`` gets the pixels that come before it: again, where the task runs again.

        Raises InvalidContent for a picture that exceeds a limit or crashes the process. Raises
        Overloaded where too many tasks wait, or no process lasted long enough to decode it.
        """
        for pause in (0, *_REPLACEMENT_PAUSES_SECONDS):
            await asyncio.sleep(pause)
            try:
                async with self._acquire(priority) as slot:
                    if self._is_closed:
                        break
                    return await slot.run(pack_message(task, data), on_pixels)
            except _Interrupted as interruption:
                log.warning("A picture was not decoded: %s", interruption)
        raise Overloaded("The server could not finish decoding this picture; send it again later.")

    @asynccontextmanager
    async def _acquire(self, priority: Priority) -> AsyncIterator[_ProcessSlot]:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.push(waiter, priority)
        self._assign_slots()
        try:
            slot = await waiter
        except asyncio.CancelledError:
            self._waiters.discard(waiter, priority)
            # Cancelled after the slot was assigned: it has to go to the next waiter.
            if waiter.done() and not waiter.cancelled():
                self._release(waiter.result(), priority)
            raise
        try:
            yield slot
        finally:
            self._release(slot, priority)

    def _assign_slots(self) -> None:
        while self._free:
            admitted = [
                each for each in Priority if self._example_permits or each != Priority.EXAMPLE
            ]
            found = self._waiters.pop(admitted)
            if found is None:
                return
            waiter, priority = found
            if not waiter.cancelled():
                self._example_permits -= priority is Priority.EXAMPLE
                waiter.set_result(self._free.pop())

    def _release(self, slot: _ProcessSlot, priority: Priority) -> None:
        self._example_permits += priority is Priority.EXAMPLE
        self._free.append(slot)
        self._assign_slots()


class _Interrupted(Exception):  # noqa: N818 - no fault of this program either
    """A process was killed from outside, or could not be started."""


@dataclass
class _ProcessSlot:
    """A slot of the pool, with its current process."""

    limits: DecoderLimits
    process: Process | None = None
    task_count: int = 0
    _is_running: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one task that runs."""
    _is_closed: bool = False

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
            # Ctrl-C must reach only the server, which shuts down in order. The process also ignores
            # the signal with which all processes of a service are stopped.
            start_new_session=True,
        )
        self.task_count = 0
        async with asyncio.timeout(_START_TIMEOUT_SECONDS):
            await self._receive()

    async def run(self, message: bytes, on_pixels: Callable[[Pixels], object] | None) -> Response:
        """Return the response to a message. Raises InvalidContent, Overloaded or _Interrupted."""
        async with self._is_running:
            return await self._run(message, on_pixels)

    async def close(self) -> None:
        """Kill the process, and wait for the end of a task that runs."""
        self._is_closed = True
        if self._is_running.locked():
            self._send_kill()
        async with self._is_running:
            await self.kill()

    async def _run(self, message: bytes, on_pixels: Callable[[Pixels], object] | None) -> Response:
        try:
            await self.start()
        except (asyncio.IncompleteReadError, OSError) as error:
            await self.kill()
            raise _Interrupted(f"no decoder process starts ({error!r})") from None
        except BaseException:
            await self.kill()
            raise
        self.task_count += 1
        try:
            async with asyncio.timeout(self.limits.seconds + _MAX_IDLE_SECONDS):
                await self._send(message)
                response = unpack_response(*await self._receive())
                if on_pixels and isinstance(response, Pixels):
                    on_pixels(response)
                    return unpack_response(*await self._receive(), pixels=response)
                return response
        except TimeoutError:
            await self.kill()
            raise Overloaded(
                "The server is too busy to decode this picture; send it again later."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._explain_end() from None
        except BaseException:
            # The caller was cancelled. The next task would read the response to this one.
            await self.kill()
            raise

    async def _explain_end(self) -> InvalidContent | _Interrupted:
        """Return why the process ended while it decoded."""
        # Wait before the kill, which would hide the status with which the process died.
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_TIMEOUT_SECONDS):
                if self.process:
                    await self.process.wait()
        status = self.process.returncode if self.process else None
        await self.kill()
        if self._is_closed:
            return _Interrupted("the server is shutting down")
        if status is not None and status < 0 and -status not in _SIGNALS_OF_FAULTS:
            return _Interrupted(f"its process was killed by signal {-status}")
        log.warning("A decoder process ended with status %s while it decoded", status)
        if status == -signal.SIGXCPU:
            return InvalidContent(
                f"Decoding this picture takes longer than {self.limits.seconds:g} seconds; "
                "save it again as a plain JPEG or PNG, or raise PICTOGRAPH_DECODE_SECONDS on the "
                "server."
            )
        return InvalidContent(
            "This picture is damaged, or takes more memory than allowed; save it again as a plain "
            "JPEG or PNG, or raise PICTOGRAPH_DECODE_MEMORY_BYTES on the server."
        )

    async def kill(self) -> None:
        """Kill the process, if there is one."""
        self._send_kill()
        process, self.process = self.process, None
        if process:
            # Drains the pipe: asyncio closes it only at its end.
            await asyncio.shield(process.communicate())

    def _send_kill(self) -> None:
        if self.process:
            with suppress(ProcessLookupError):
                self.process.kill()

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
