"""Finds the decoder processes of a server."""

from __future__ import annotations

from pathlib import Path


def decoder_processes_of(pid: int) -> list[int]:
    """Return the pids of a process's decoder processes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"infra.pillow.decoder_process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
