"""A pool of processes that render postcards, so that the event loop of a server stays free."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from postcards.renderer_process import LENGTH_BYTES

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator


class RendererPool:
    """Renders one postcard at a time in each of its processes."""

    def __init__(self, processes: list[Process]) -> None:
        self._idle: asyncio.Queue[Process] = asyncio.Queue()
        for process in processes:
            self._idle.put_nowait(process)

    @classmethod
    @asynccontextmanager
    async def open(cls, count: int) -> AsyncIterator[RendererPool]:
        """Start ``count`` processes, and kill them at the end of the block."""
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                # -P: a folder "postcards" in the working directory must not shadow this package.
                *("-P", "-m", "postcards.renderer_process"),
                stdin=PIPE,
                stdout=PIPE,
                # An empty entry of the path would be the working directory, too.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                # Ctrl-C goes to the parent only, which then kills the processes.
                start_new_session=True,
            )
            for _ in range(count)
        ]
        try:
            yield cls(processes)
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def render(self, seed: int) -> bytes:
        """Return the JPEG file of a postcard. Waits for an idle process.

        Raises IncompleteReadError or ConnectionError if the process has ended.
        """
        process = await self._idle.get()
        if process.stdin is None or process.stdout is None:
            message = "a renderer process was started without pipes"
            raise TypeError(message)
        process.stdin.write(f"{seed}\n".encode())
        length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
        file = await process.stdout.readexactly(length)
        # Not in a finally: a cancelled call leaves half a file in the pipe, which the next caller
        # would read.
        self._idle.put_nowait(process)
        return file
