"""Memory and CPU time of a process and its descendants."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import psutil  # type: ignore[import-untyped] # no types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

MEGABYTE = 1_000_000
IDLE_SHARE = 0.1
"""A tree that uses less than this share of a core is idle."""

IDLE_CHECK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process with its descendants. Those that end meanwhile are left out."""

    pid: int

    def pss_megabytes(self) -> float:
        """Return the proportional set size: shared pages count in parts, so that sums are right."""
        return sum(self._each(lambda process: float(process.memory_full_info().pss))) / MEGABYTE

    def pss_megabytes_by_name(self) -> dict[str, float]:
        """Return the proportional set size of all processes of a name, by name."""
        megabytes: Counter[str] = Counter()
        for name, pss in self._each(
            lambda process: (_name_of(process), process.memory_full_info().pss)
        ):
            megabytes[name] += pss / MEGABYTE
        return dict(megabytes)

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes, and of the children that have ended."""
        return sum(self._each(lambda process: sum(process.cpu_times()[:4])))

    async def wait_until_idle(self, *, seconds: float) -> None:
        """Wait until the processes have nothing more to do, at most for this time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = self.cpu_seconds()
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            if self.cpu_seconds() - before < IDLE_SHARE * IDLE_CHECK_SECONDS:
                return

    def _each(self, measure: Callable[[psutil.Process], T]) -> Iterator[T]:
        try:
            root = psutil.Process(self.pid)
            processes = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                yield measure(process)


def _name_of(process: psutil.Process) -> str:
    """Return the part that a process has: the server, a decoder or PostgreSQL."""
    command = " ".join(process.cmdline())
    if "postgres" in process.name():
        return "PostgreSQL"
    return "decoders" if "decoder_process" in command else "server"
