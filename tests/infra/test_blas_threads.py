"""OpenBLAS works in the calling thread: a fork would wait for its threads, at times without end."""

from __future__ import annotations

import subprocess
import sys

import pytest

MULTIPLY = """
import numpy
matrix = numpy.ones((1000, 1000), numpy.float32)
matrix @ matrix
with open("/proc/self/status") as status:
    print(*(line.split()[1] for line in status if line.startswith("Threads:")))
"""


@pytest.mark.parametrize("package", ["infra", "infra.clip.concepts", "pictograph.cli.main"])
def test_a_product_of_matrices_starts_no_thread(package: str) -> None:
    threads = subprocess.run(
        [sys.executable, "-c", f"import {package}\n{MULTIPLY}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "1" == threads.strip()
