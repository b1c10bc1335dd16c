"""Kills an embedded PostgreSQL at random moments under load, and counts what is lost.

Run it with ``make test-kills``, or with a number of kills: ``python -m tests.kill_postgres 20``.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # no types
from sqlalchemy import make_url

from infra.embedded_postgres.cluster import open_cluster
from infra.embedded_postgres.server import embedded_postgres

KILLS = 100
WRITERS = 4
SIGNALS = (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)
OUTAGES = (
    *(OSError, TimeoutError),
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
)


@dataclass(slots=True)
class Writes:
    """The numbers of the rows that the database has acknowledged, and when it did so last."""

    acknowledged: set[int] = field(default_factory=set)
    last_at: float = 0.0
    longest_outage_seconds: float = 0.0

    def acknowledge(self, number: int) -> None:
        now = time.monotonic()
        if self.acknowledged:
            self.longest_outage_seconds = max(self.longest_outage_seconds, now - self.last_at)
        self.last_at = now
        self.acknowledged.add(number)


async def _write(socket: str, first: int, writes: Writes) -> None:
    """Insert numbers until cancelled, with a new connection after each failure."""
    number = first
    while True:
        with suppress(*OUTAGES):
            connection = await asyncpg.connect(
                host=socket, user="pictograph", database="postgres", timeout=5
            )
            while True:
                number += WRITERS
                await connection.execute("INSERT INTO kept VALUES ($1)", number, timeout=60)
                writes.acknowledge(number)
        await asyncio.sleep(0.05)


async def _kill(folder: Path, kills: int, writes: Writes) -> None:
    cluster = await asyncio.to_thread(open_cluster, folder)
    for _ in range(kills):
        before = len(writes.acknowledged)
        while len(writes.acknowledged) < before + 10:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(random.uniform(0, 0.5))
        if pid := await asyncio.to_thread(cluster.find_postmaster):
            os.kill(pid, random.choice(SIGNALS))


async def main(kills: int) -> None:
    """Kill, restart, and compare what was acknowledged with what is there."""
    writes = Writes()
    with tempfile.TemporaryDirectory(prefix="pictograph-kills-") as name:
        folder = Path(name) / "postgres"
        async with embedded_postgres(folder) as url:
            socket = str(make_url(url).query["host"])
            connection = await asyncpg.connect(host=socket, user="pictograph", database="postgres")
            await connection.execute("CREATE TABLE kept (number bigint)")
            await connection.close()
            writers = [
                asyncio.create_task(_write(socket, first, writes)) for first in range(WRITERS)
            ]
            await _kill(folder, kills, writes)
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
        async with embedded_postgres(folder):
            connection = await asyncpg.connect(host=socket, user="pictograph", database="postgres")
            rows = await connection.fetch("SELECT number FROM kept")
            await connection.close()
    found = [row["number"] for row in rows]
    lost = len(writes.acknowledged - set(found))
    twice = len(found) - len(set(found))
    print(  # noqa: T201 - the report
        f"{kills} kills, {len(writes.acknowledged)} rows acknowledged, {lost} lost, {twice} twice; "
        f"longest time without an answer {writes.longest_outage_seconds:.1f} s"
    )
    if lost or twice:
        sys.exit(1)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS))
