"""``python -m benchmarks``: every measurement of this machine, one after the other, in minutes."""

from __future__ import annotations

import subprocess
import sys

failed = 0
for name in (
    "end_to_end",
    "encoder",
    "importing",
    "search --large",
    "relevance",
    "duplicates",
    "work",
    "model_change 300",
    "graph",
):
    print(f"\n# benchmarks.{name}", flush=True)
    # In processes of their own, so that none finds the other's threads and caches.
    command = [sys.executable, "-m", *f"benchmarks.{name}".split()]
    failed += subprocess.run(command, check=False).returncode
sys.exit(failed != 0)
