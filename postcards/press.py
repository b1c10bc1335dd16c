"""Prints postcards as JPEG files in processes of their own: a server beside them goes on answering.

``python -m postcards.press`` is such a process: a seed a line comes in, and a file goes out with
its length in four bytes before it. It ends when its input does, however its parent came to an end.
"""

from __future__ import annotations

import asyncio
import io
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from postcards.back import Back
from postcards.painting.postcard import draw

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

SIZE = (960, 640)
QUALITY = 90
LENGTH = 4
"""Bytes of a length."""


def jpeg(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    """Return the file of a postcard. With one version of Pillow a seed is one file to the byte."""
    scene, picture = draw(seed, size)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, exif=Back(scene).exif())
    return file.getvalue()


class Press:
    """A few processes that print, each one postcard at a time."""

    def __init__(self, processes: list[Process]) -> None:
        self._free: asyncio.Queue[Process] = asyncio.Queue()
        for process in processes:
            self._free.put_nowait(process)

    @classmethod
    @asynccontextmanager
    async def open(cls, count: int) -> AsyncIterator[Press]:
        """Start the processes, and end them."""
        processes = [
            # A session of its own: Ctrl-C is for the parent, which then ends it.
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "postcards.press"),
                stdin=PIPE,
                stdout=PIPE,
                cwd=Path(__file__).parents[1],
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

    async def postcard(self, seed: int) -> bytes:
        """Return the file of a postcard."""
        process = await self._free.get()
        if process.stdin is None or process.stdout is None:
            message = "a press was started without pipes"
            raise TypeError(message)
        process.stdin.write(f"{seed}\n".encode())
        length = int.from_bytes(await process.stdout.readexactly(LENGTH))
        file = await process.stdout.readexactly(length)
        # Not in a finally: whoever gives up half-way leaves half a file in the pipe.
        self._free.put_nowait(process)
        return file


def main() -> None:
    """Print what is asked for."""
    for line in sys.stdin:
        file = jpeg(int(line))
        sys.stdout.buffer.write(len(file).to_bytes(LENGTH) + file)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
