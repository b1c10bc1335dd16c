"""``python -m benchmarks``: runs all benchmarks one after another, which takes minutes."""

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
    # One process each, so that no benchmark uses threads and caches of another.
    command = [sys.executable, "-m", *f"benchmarks.{name}".split()]
    failed += subprocess.run(command, check=False).returncode
sys.exit(failed != 0)
