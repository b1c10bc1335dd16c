"""Kills a server at random moments under load, and audits the library after each start."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.crash import client
from tests.crash.audit import audit, final_audit
from tests.crash.client import Ledger, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.crash.library import Library

CLIENTS = (
    client.upload_again_and_again,
    client.upload_again_and_again,
    client.upload_directly_again_and_again,
    client.delete_again_and_again,
    client.search_again_and_again,
)
LONGEST_LIFE_SECONDS = 3.0
"""A server is killed up to so long after it answers."""

START_SHARE = 0.1
"""The share of the servers that are killed while they start."""

POSTGRES_EVERY = 10
"""Each of so many kills hits PostgreSQL, too."""


@dataclass
class Outcome:
    """What was injected into a library, and what was found."""

    library: str
    kills: int = 0
    kills_while_starting: int = 0
    kills_of_postgres: int = 0
    acknowledged: int = 0
    deleted: int = 0
    kept: int = 0
    faults: list[str] = field(default_factory=list)


async def kill_at_random(
    library: Library, kills: int, *, seed: int, progress: Callable[[int], None]
) -> Outcome:
    """Kill the server of a library so many times. ``progress`` is called after each kill."""
    random = Random(seed)
    ledger = Ledger(Random(seed + 1))
    outcome = Outcome(library.name)
    while outcome.kills < kills:
        if outcome.kills and random.random() < START_SHARE:
            await library.start_only()
            await asyncio.sleep(random.uniform(0, LONGEST_LIFE_SECONDS / 2))
            outcome.kills_while_starting += 1
        else:
            await library.start()
            outcome.faults += await audit(library, ledger)
            outcome.faults += await _work_for(
                library, ledger, random.uniform(0.1, LONGEST_LIFE_SECONDS)
            )
        if outcome.kills % POSTGRES_EVERY == POSTGRES_EVERY - 1:
            outcome.kills_of_postgres += library.kill_postgres()
        await library.kill()
        outcome.kills += 1
        progress(1)
    await library.start()
    outcome.faults += await final_audit(library, ledger)
    await library.stop()
    outcome.acknowledged = ledger.acknowledged
    outcome.deleted = len(ledger.deleted)
    outcome.kept = len(ledger.images)
    return outcome


async def _work_for(library: Library, ledger: Ledger, seconds: float) -> list[str]:
    """Let the clients work, kill the server while they do, and return what they object to."""
    working = [asyncio.create_task(_tolerate_outages(each(library, ledger))) for each in CLIENTS]
    await asyncio.sleep(seconds)
    await library.kill()
    # Clients whose requests were cut off have ended; the others wait between two requests.
    await asyncio.wait(working, timeout=1)
    for task in working:
        task.cancel()
    outcomes = await asyncio.gather(*working, return_exceptions=True)
    return [f"{type(each).__name__}: {each}" for each in outcomes if isinstance(each, Exception)]


async def _tolerate_outages(work: Coroutine[None, None, None]) -> None:
    with suppress(Unavailable):
        await work
