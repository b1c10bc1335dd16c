from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.process_tree import ProcessTree

if TYPE_CHECKING:
    from collections.abc import Iterator

# Starts a child that allocates 40 MB and spends CPU time, then waits.
CHILD = "block = bytearray(40_000_000); sum(range(3_000_000)); print('ready', flush=True); input()"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}])
"""


@pytest.fixture
def tree() -> Iterator[ProcessTree]:
    """A process with a child. Both end when their input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process:
        assert "ready\n" == process.stdout.readline()
        yield ProcessTree(process.pid)
        process.stdin.write("\n")


def test_memory_and_cpu_time_are_those_of_the_descendants_too(tree: ProcessTree) -> None:
    assert tree.pss_megabytes() > 40
    assert tree.cpu_seconds() > 0


async def test_waiting_for_idle_processes_ends(tree: ProcessTree) -> None:
    await tree.wait_until_idle(seconds=60)
    assert tree.pss_megabytes() > 40


def test_a_process_that_has_ended_uses_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    tree = ProcessTree(process.pid)
    assert (0, 0) == (tree.pss_megabytes(), tree.cpu_seconds())


def test_this_process_uses_memory() -> None:
    assert ProcessTree(os.getpid()).pss_megabytes() > 1
