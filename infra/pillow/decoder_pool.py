"""A few processes that decode pictures: limited, killed when over time, and replaced."""

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
from infra.pillow.decoder_protocol import LENGTHS, MOST_BODY, MOST_HEAD, pack, unpack_answer

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from infra.pillow.decoder_protocol import Answer

_START_SECONDS = 60
_DYING_SECONDS = 1
_TASKS_OF_A_LIFE = 500
_KEPT_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What a process may take for one picture: seconds, of the clock and of the CPU, and memory."""

    seconds: float
    memory_bytes: int


class DecoderPool:
    """Runs tasks in ``count`` processes; urgent tasks go ahead of those that wait.

    An async context manager. A process that takes too long, dies, or whose caller gives up is
    killed, and the next task gets a fresh one.
    """

    def __init__(self, workers: int, limits: DecoderLimits) -> None:
        self._slots = [_Slot(limits) for _ in range(workers)]
        self._free = list(self._slots)
        self._waiting: list[tuple[bool, int, asyncio.Future[_Slot]]] = []
        self._tickets = count()

    async def __aenter__(self) -> Self:
        """Start every process. Raises Misconfigured where they do not start."""
        try:
            await asyncio.gather(*(slot.start() for slot in self._slots))
        except (asyncio.IncompleteReadError, OSError, TimeoutError) as error:
            await self.__aexit__()
            raise Misconfigured(
                "The processes that decode pictures end before they are ready: "
                "what they wrote to standard error says why."
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every process."""
        await asyncio.gather(*(slot.end() for slot in self._slots))

    async def run(self, task: object, data: bytes, *, urgent: bool = False) -> Answer:
        """Return the answer to a task. Raises InvalidContent where a process died of it."""
        async with self._slot(urgent=urgent) as slot:
            return await slot.run(pack(task, data))

    @asynccontextmanager
    async def _slot(self, *, urgent: bool) -> AsyncIterator[_Slot]:
        if self._free:
            slot = self._free.pop()
        else:
            turn = asyncio.get_running_loop().create_future()
            heappush(self._waiting, (not urgent, next(self._tickets), turn))
            try:
                slot = await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give(turn.result())
                raise
        try:
            yield slot
        finally:
            self._give(slot)

    def _give(self, slot: _Slot) -> None:
        while self._waiting:
            _, _, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(slot)
                return
        self._free.append(slot)


@dataclass
class _Slot:
    """A place for one process."""

    limits: DecoderLimits
    process: Process | None = None
    tasks: int = 0

    async def start(self) -> None:
        """Make sure that a process is there and ready."""
        if self.process and self.process.returncode is None and self.tasks < _TASKS_OF_A_LIFE:
            return
        await self.end()
        # By its own command line, for multiprocessing would run the main program's file again; and
        # with none of the server's secrets in reach.
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: a folder "infra" in the working directory must not shadow the installed package.
            *("-P", "-m", "infra.pillow.decoder_process"),
            *(str(self.limits.seconds), str(self.limits.memory_bytes)),
            stdin=PIPE,
            stdout=PIPE,
            env=kept
            | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"},
            # Ctrl-C is the server's to hear.
            start_new_session=True,
        )
        self.tasks = 0
        async with asyncio.timeout(_START_SECONDS):
            await self._receive()

    async def run(self, message: bytes) -> Answer:
        try:
            await self.start()
        except BaseException:
            await self.end()
            raise
        self.tasks += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._send(message)
                return unpack_answer(*await self._receive())
        except TimeoutError:
            await self.end()
            raise InvalidContent(
                f"Decoding this picture takes longer than {self.limits.seconds:g} seconds; "
                "save it anew in a plain form."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            # Killing what is dead would take its status away from who waits for it.
            with suppress(TimeoutError):
                async with asyncio.timeout(_DYING_SECONDS):
                    if self.process:
                        await self.process.wait()
            status = await self.end()
            log.warning("a picture ended the process that decoded it, with status %s", status)
            raise InvalidContent(
                "This picture is damaged, or takes more time or memory than allowed; "
                "save it anew in a plain form."
            ) from None
        except BaseException:
            # Who asked is gone, and the answer would be taken for the next one's.
            await self.end()
            raise

    async def end(self) -> int | None:
        """End the process, if there is one, and return its status."""
        process, self.process = self.process, None
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.kill()
        # Reads what is left: only then is the pipe closed.
        await asyncio.shield(process.communicate())
        return process.returncode

    async def _send(self, message: bytes) -> None:
        pipe = self.process and self.process.stdin
        assert pipe  # noqa: S101 - start has just made it
        pipe.write(message)
        await pipe.drain()

    async def _receive(self) -> tuple[bytes, bytes]:
        pipe = self.process and self.process.stdout
        assert pipe  # noqa: S101 - start has just made it
        head, body = LENGTHS.unpack(await pipe.readexactly(LENGTHS.size))
        if head > MOST_HEAD or body > MOST_BODY:
            raise ConnectionError("an answer that is too long")
        return await pipe.readexactly(head), await pipe.readexactly(body)
