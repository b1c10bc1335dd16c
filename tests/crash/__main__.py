"""`make test-crash`: kills Pictograph at failpoints and at random moments, and says what was lost.

Exits with 1 if anything was. Keeps the libraries and logs then.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.crash.failpoint_sweep import SCENARIOS, sweep_failpoints
from tests.crash.library import Library
from tests.crash.processes import ForkServer
from tests.crash.random_kills import kill_at_random
from tests.e2e.process import cache_models_in

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

REPORT = Path("build/crash/report.json")

Report: TypeAlias = "tuple[list[dict[str, Any]], list[dict[str, Any]]]"
"""The outcomes of scenarios, and of libraries with kills at random moments."""

console = Console()
cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options, but for what to sweep."""

    kills: int
    libraries: int
    occurrences: int
    seed: int


@cli.command()
def main(  # noqa: PLR0913 - each is an option
    *,
    kills: Annotated[int, typer.Option(help="Kills at random moments, of all libraries.")] = 200,
    libraries: Annotated[int, typer.Option(help="Libraries that are killed in parallel.")] = 2,
    failpoints: Annotated[bool, typer.Option(help="Whether to kill at each failpoint.")] = True,
    only: Annotated[
        list[str] | None, typer.Option(help="Failpoints of this scenario only. Repeatable.")
    ] = None,
    occurrences: Annotated[
        int, typer.Option(help="Kills at a failpoint that one run passes repeatedly.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the random moments and pictures.")] = 0,
    report: Annotated[Path, typer.Option(help="The report as JSON.")] = REPORT,
) -> None:
    """Kill the program, restart it, and check that nothing was lost."""
    # PostgreSQL runs as another user where this program is root.
    folder = Path(tempfile.mkdtemp(prefix="pictograph-crash-", dir="/tmp"))
    folder.chmod(0o755)
    cache_models_in(folder / "cache")
    started_at = time.monotonic()
    names = tuple(only) if only else tuple(SCENARIOS) if failpoints else ()
    plan = Plan(kills=kills, libraries=libraries, occurrences=occurrences, seed=seed)
    swept, killed = asyncio.run(_run(folder, names, plan))
    found = [fault for outcome in (*swept, *killed) for fault in outcome["faults"]]
    content = {
        "seconds": round(time.monotonic() - started_at),
        "seed": seed,
        "failpoints": swept,
        "random_kills": killed,
        "faults": len(found),
    }
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(content, indent=2) + "\n")
    _show("Kills at failpoints", swept)
    _show("Kills at random moments", killed)
    if found:
        console.print(f"{len(found)} faults. The libraries and logs are in {folder}.")
        sys.exit(1)
    shutil.rmtree(folder)
    console.print(f"Nothing was lost. The report is in {report}.")


async def _run(folder: Path, names: Sequence[str], plan: Plan) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    async with ForkServer.open(folder / "logs") as fork_server:
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            turns = asyncio.Semaphore(plan.libraries)

            async def sweep(number: int, name: str) -> dict[str, Any]:
                async with turns:
                    place, settings = folder / f"scenario-{number}", SCENARIOS[name].settings
                    library = Library(name, place, fork_server, settings)
                    bar = progress.add_task(name, total=None)
                    work = sweep_failpoints(
                        library,
                        name,
                        seed=plan.seed,
                        occurrences=plan.occurrences,
                        progress=lambda done, all_: progress.update(
                            bar, completed=done, total=all_
                        ),
                    )
                    return await _outcome(library, work)

            async def kill(number: int, kills: int) -> dict[str, Any]:
                library = Library(f"library {number}", folder / f"library-{number}", fork_server)
                seed = 1_000 * plan.seed + number
                work = kill_at_random(
                    library, kills, seed=seed, progress=lambda count: progress.advance(bar, count)
                )
                return await _outcome(library, work)

            swept = await asyncio.gather(*(sweep(*each) for each in enumerate(names)))
            bar = progress.add_task("random moments", total=plan.kills)
            share, rest = divmod(plan.kills, plan.libraries)
            shares = [share + (number < rest) for number in range(plan.libraries)]
            killed = [kill(number, kills) for number, kills in enumerate(shares) if kills]
            return swept, await asyncio.gather(*killed)


async def _outcome(library: Library, work: Coroutine[Any, Any, Any]) -> dict[str, Any]:
    try:
        outcome = asdict(await work)
    finally:
        await library.close()
    console.print(f"{library.name}: {outcome['kills']} kills, {len(outcome['faults'])} faults")
    for fault in outcome["faults"]:
        console.print(fault, style="red", markup=False)
    return outcome


def _show(title: str, outcomes: Sequence[dict[str, Any]]) -> None:
    if not outcomes:
        return
    table = Table(title=title)
    for name in outcomes[0]:
        table.add_column(name.replace("_", " ").capitalize())
    for outcome in outcomes:
        table.add_row(
            *(str(len(value) if isinstance(value, list) else value) for value in outcome.values())
        )
    console.print(table)


if __name__ == "__main__":
    cli()
