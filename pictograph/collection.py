"""Keeps what stays in memory out of garbage collection.

Libraries and the schema are hundreds of thousands of objects that stay. A full collection would
visit each of them, find nothing, and stop the event loop for up to a quarter of a second.
"""

from __future__ import annotations

import asyncio
import gc

UNLOADING_SECONDS = 1.0
"""How long after a model is closed the last references to it are gone."""


def exempt_what_stays() -> None:
    """Free what is garbage now, and take everything else out of later collections."""
    gc.collect()
    gc.freeze()


def free_what_was_exempt() -> None:
    """Free what the caller is about to release, in a second, and exempt the rest again.

    Does nothing in a process that has exempted nothing.
    """
    if gc.get_freeze_count():
        gc.unfreeze()
        asyncio.get_running_loop().call_later(UNLOADING_SECONDS, exempt_what_stays)
