"""Kills a process at each failpoint that it passes while it does something, one after another.

The first run of a scenario records the failpoints. Each further one kills at one of them, then
starts the program again, audits the library, and does the same once more to its end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.crash import client, scenarios
from tests.crash.audit import audit, final_audit
from tests.crash.client import Ledger, Unavailable
from tests.crash.failpoints import Failpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.crash.library import Library
    from tests.crash.scenarios import Scenario

PASS_SECONDS = 10.0
"""How long a server may take to pass a point after its client has got an answer."""

POINT_SECONDS = 600.0
"""How long a kill, the start after it and the second run may take."""

SCENARIOS: dict[str, Scenario] = {
    "upload": scenarios.Upload(),
    "upload of waiting bytes": scenarios.UploadOfWaitingBytes(),
    "upload of missing bytes": scenarios.UploadOfMissingBytes(),
    "direct upload and indexing": scenarios.DirectUpload(),
    "edit": scenarios.Edit(),
    "delete": scenarios.Delete(),
    "search": scenarios.Search(),
    "import": scenarios.Import(),
    "import of changes": scenarios.ImportOfChanges(),
    "import of copies": scenarios.ImportOfCopies(),
    "models add": scenarios.ModelStep("add"),
    "models promote": scenarios.ModelStep("promote"),
    "models rollback": scenarios.ModelStep("rollback"),
    "models drop": scenarios.ModelStep("drop"),
    "backfill of a model": scenarios.Backfill(),
    "sweep": scenarios.Sweep(),
    "migration": scenarios.Migration(),
}


@dataclass
class Outcome:
    """What was injected into a scenario, and what was found."""

    scenario: str
    failpoints: int = 0
    kills: int = 0
    not_passed: list[str] = field(default_factory=list)
    """Points that a run did not pass, since the program does it in another order each time."""
    faults: list[str] = field(default_factory=list)


async def sweep_failpoints(
    library: Library,
    name: str,
    *,
    seed: int,
    occurrences: int,
    progress: Callable[[int, int], None],
) -> Outcome:
    """Kill at each failpoint of a scenario. ``progress`` gets the kills done, and all.

    A point that a run passes again and again kills it at the first ``occurrences``.
    """
    scenario, outcome, ledger = SCENARIOS[name], Outcome(name), Ledger(Random(seed))
    points = await _record(library, ledger, scenario, occurrences)
    outcome.failpoints = len(points)
    if scenario.kills_server:
        await library.stop()
        await library.start(points[0])
    for done, (point, following) in enumerate(zip(points, [*points[1:], None], strict=True)):
        progress(done, len(points))
        faults = []
        try:
            async with asyncio.timeout(POINT_SECONDS):
                if await _kill_at(library, ledger, scenario, point):
                    outcome.kills += 1
                else:
                    outcome.not_passed.append(point.name or "")
                if scenario.kills_server:
                    await library.start(following)
                faults += await audit(library, ledger)
                await scenario.run_to_end(library, ledger)
        except (AssertionError, Unavailable, TimeoutError) as error:
            faults.append(f"{type(error).__name__}: {error}")
            await library.kill()
            await library.start(following if scenario.kills_server else None)
        outcome.faults += [f"{name}, killed {point.name}: {fault}" for fault in faults]
    progress(len(points), len(points))
    outcome.faults += [f"{name}: {fault}" for fault in await final_audit(library, ledger)]
    await library.stop()
    return outcome


async def _record(
    library: Library, ledger: Ledger, scenario: Scenario, occurrences: int
) -> list[Failpoint]:
    """Return the failpoints that a run passes, in order."""
    trace = library.folder / "trace"
    recording = Failpoint(
        armed=str(library.armed), folder=str(library.data_folder), trace=str(trace)
    )
    await library.start(recording if scenario.kills_server else None)
    await client.upload(library, ledger, [ledger.new_picture() for _ in range(3)])
    await scenario.prepare(library, ledger)
    async with _armed(library):
        await scenario.run(library, ledger, None if scenario.kills_server else recording)
        await asyncio.sleep(1)
    names = Counter[str]()
    points = []
    for line in trace.read_text().splitlines():
        name = line.partition(" ")[2]
        names[name] += 1
        if names[name] <= occurrences:
            points.append(
                Failpoint(
                    armed=recording.armed,
                    folder=recording.folder,
                    name=name,
                    occurrence=names[name],
                )
            )
    return points


async def _kill_at(library: Library, ledger: Ledger, scenario: Scenario, point: Failpoint) -> bool:
    """Run a scenario until its process is killed, and return whether it was."""
    await scenario.prepare(library, ledger)
    async with _armed(library):
        if not scenario.kills_server:
            return await scenario.run(library, ledger, point)
        with suppress(Unavailable):
            await scenario.run(library, ledger, None)
        assert library.server
        try:
            await library.server.wait(PASS_SECONDS)
        except TimeoutError:
            await library.kill()
            return False
    return True


@asynccontextmanager
async def _armed(library: Library) -> AsyncIterator[None]:
    library.armed.touch()
    try:
        yield
    finally:
        library.armed.unlink()
