"""`make soak`: mixed load and random faults for a while; memory, descriptors and connections stay.

Decoder processes are killed, PostgreSQL is restarted and killed, and a proxy in front of an S3
server lets requests fail. Exits with 1 if something grew beyond its bound, or an acknowledged
picture is not there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import psutil  # type: ignore[import-untyped] # it ships no types
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from infra.embedded_postgres.server import embedded_postgres
from tests.crash import client
from tests.crash.audit import audit, wait_until_indexed
from tests.crash.client import Ledger, Unavailable
from tests.crash.library import Library
from tests.crash.processes import CommandLauncher
from tests.crash.s3_faults import FaultProxy
from tests.e2e.process import cache_models_in, typed_url
from tests.s3_server import ACCESS_KEY, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REPORT = Path("build/crash/soak.json")
MEBIBYTE = 1 << 20
POOL_SIZE = 8

WARM_UP_SECONDS = 45.0
"""Of load without faults, before the first measurement."""

SETTLE_SECONDS = 10.0
"""Between the end of the load and a measurement: idle connections are closed by then."""

PAUSE_BETWEEN_FAULTS_SECONDS = 10.0

S3_FAULT_SHARE = 0.2
S3_FAULT_SECONDS = 5.0

KEPT_IMAGES = 60
"""The library keeps its size: what grows is not the data."""

MAX_MEMORY_GROWTH = 96 * MEBIBYTE
MAX_DESCRIPTOR_GROWTH = 72
MAX_CONNECTION_GROWTH = 2
"""The bounds of what may grow. Memory is PSS of the server and its decoder processes. Descriptors
are bounded by the pools: 8 connections to PostgreSQL and 64 to S3."""

MAX_SHOWN = 12
"""How many kinds of a count are shown. The report has all."""

console = Console()
cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server holds."""

    memory_bytes: int
    descriptors: int
    connections: int
    """To PostgreSQL."""


@dataclass
class Outcome:
    """What was injected, what was done, and what it left behind."""

    minutes: float
    before: Usage
    after: Usage
    peak_memory_bytes: int
    faults_injected: dict[str, int]
    done: dict[str, int]
    unavailable: dict[str, int]
    faults: list[str] = field(default_factory=list)


@dataclass
class Soak:
    """A server with everything around it that fails."""

    library: Library
    ledger: Ledger
    proxy: FaultProxy
    postgres_folder: Path
    random: Random
    done: Counter[str] = field(default_factory=Counter)
    unavailable: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    peak: int = 0

    async def load(self, seconds: float) -> None:
        """Let all clients work for a while."""
        clients = (
            *(self._upload, self._upload_directly, self._delete, self._search),
            *(self._search_by_example, self._browse, self._watch, self._watch),
        )
        working = [asyncio.create_task(self._repeat(each)) for each in clients]
        await asyncio.sleep(seconds)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def inject(self, kinds: list[str]) -> None:
        """Inject faults until cancelled, then end them."""
        try:
            while True:
                await asyncio.sleep(self.random.uniform(0.5, 1.5) * PAUSE_BETWEEN_FAULTS_SECONDS)
                kind = self.random.choice(kinds)
                self.injected[kind] += 1
                match kind:
                    case "decoder killed":
                        self._kill_decoder()
                    case "PostgreSQL restarted":
                        await asyncio.shield(self._restart_postgres(signal.SIGINT))
                    case "PostgreSQL killed":
                        await asyncio.shield(self._restart_postgres(signal.SIGKILL))
                    case _:
                        self.proxy.share = S3_FAULT_SHARE
                        await asyncio.sleep(S3_FAULT_SECONDS)
                        self.proxy.share = 0
        finally:
            self.proxy.share = 0

    async def sample(self) -> None:
        """Note the peak of memory until cancelled."""
        while True:
            self.peak = max(self.peak, self.usage().memory_bytes)
            await asyncio.sleep(5)

    def usage(self) -> Usage:
        """Measure the server."""
        assert self.library.server
        server = psutil.Process(self.library.server.pid)
        memory = 0
        for process in (server, *server.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory += process.memory_full_info().pss
        connections = 0
        if postmaster := self._find_postmaster():
            for process in postmaster.children():
                with suppress(psutil.NoSuchProcess, IndexError):
                    connections += "[local]" in process.cmdline()[0]
        return Usage(memory, server.num_fds(), connections)

    async def _upload(self) -> None:
        files = [self.ledger.new_picture() for _ in range(2)]
        await client.upload(self.library, self.ledger, files)

    async def _upload_directly(self) -> None:
        files = [self.ledger.new_picture()]
        targets = await client.create_targets(self.library, files)
        await client.send(self.library, targets[0], files[0])
        with self.ledger.holding(files):
            await client.complete(self.library, self.ledger, targets)

    async def _delete(self) -> None:
        if (excess := len(self.ledger.images) - KEPT_IMAGES) > 0:
            await client.delete(self.library, self.ledger, self.ledger.take(excess))

    async def _search(self) -> None:
        await client.search(self.library, self.random.choice(client.QUERIES))

    async def _search_by_example(self) -> None:
        await client.search_by_example(self.library, self.ledger.new_picture())

    async def _browse(self) -> None:
        images = await client.list_images(self.library)
        for image in self.random.sample(images, min(5, len(images))):
            await client.get(self.library, image["url"])

    async def _watch(self) -> None:
        await client.watch(self.library, 3)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Unavailable as reason:
                self.unavailable[str(reason)[:120]] += 1
                await asyncio.sleep(0.2)
            except AssertionError as fault:
                self.faults.append(f"{work.__name__.strip('_')}: {fault}")
                await asyncio.sleep(1)
            else:
                self.done[work.__name__.strip("_")] += 1
            await asyncio.sleep(self.random.uniform(0, 0.1))

    def _kill_decoder(self) -> None:
        assert self.library.server
        children = psutil.Process(self.library.server.pid).children()
        if children:
            self.random.choice(children).kill()

    def _find_postmaster(self) -> psutil.Process | None:
        for file in self.postgres_folder.glob("**/postmaster.pid"):
            with suppress(psutil.Error, ValueError, IndexError, OSError):
                return psutil.Process(int(file.read_text().splitlines()[0]))
        return None

    async def _restart_postgres(self, number: signal.Signals) -> None:
        postmaster = self._find_postmaster()
        if postmaster is None:
            return
        postmaster.send_signal(number)
        await asyncio.to_thread(psutil.wait_procs, [postmaster], 60)
        async with embedded_postgres(self.postgres_folder):
            pass


@cli.command()
def main(
    *,
    minutes: Annotated[float, typer.Option(help="How long faults are injected.")] = 30,
    without: Annotated[
        list[str] | None, typer.Option(help="A kind of fault to leave out. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random faults and pictures.")] = 0,
    report: Annotated[Path, typer.Option(help="The report as JSON.")] = REPORT,
) -> None:
    """Let a server work under random faults, and check that it holds no more than before."""
    kinds = ["decoder killed", "PostgreSQL restarted", "PostgreSQL killed", "S3 faults"]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    chosen = [kind for kind in kinds if kind not in (without or ())]
    folder = Path(tempfile.mkdtemp(prefix="pictograph-soak-", dir="/tmp"))
    folder.chmod(0o755)
    cache_models_in(folder / "cache")
    outcome = asyncio.run(_run(folder, minutes, chosen, seed))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    _show(outcome)
    if outcome.faults:
        for fault in outcome.faults:
            console.print(fault, style="red", markup=False)
        console.print(f"{len(outcome.faults)} faults. The logs are in {folder}.")
        sys.exit(1)
    shutil.rmtree(folder)
    console.print(f"Nothing grew, and nothing was lost. The report is in {report}.")


async def _run(folder: Path, minutes: float, kinds: list[str], seed: int) -> Outcome:
    async with AsyncExitStack() as stack:
        postgres = folder / "postgres"
        url = await stack.enter_async_context(embedded_postgres(postgres))
        store = stack.enter_context(s3_server())
        bucket = await asyncio.to_thread(create_bucket, store)
        proxy, proxy_url = await stack.enter_async_context(FaultProxy.open(store, seed=seed))
        settings = {
            "database_url": typed_url(url),
            "database_pool_size": POOL_SIZE,
            "s3_bucket": bucket,
            "s3_endpoint_url": proxy_url,
            "s3_access_key_id": ACCESS_KEY,
            "s3_secret_access_key": ACCESS_KEY,
        }
        library = Library("soak", folder / "library", CommandLauncher(folder / "logs"), settings)
        stack.push_async_callback(library.close)
        await library.run("migrate")
        await library.start()
        soak = Soak(library, Ledger(Random(seed)), proxy, postgres, Random(seed + 1))
        await soak.load(WARM_UP_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        before = soak.usage()
        await _soak(soak, minutes, kinds)
        await asyncio.sleep(SETTLE_SECONDS)
        after = soak.usage()
        soak.faults += await wait_until_indexed(library)
        soak.faults += await audit(library, soak.ledger)
        soak.faults += _growth(before, after)
        check = await library.fork("check", "--originals", "1000000")
        await check.wait()
        if check.status != 0:
            soak.faults.append(f"pictograph check: {check.said}")
        await library.stop()
        return Outcome(
            minutes=minutes,
            before=before,
            after=after,
            peak_memory_bytes=soak.peak,
            faults_injected=dict(soak.injected.most_common()),
            done=dict(soak.done.most_common()),
            unavailable=dict(soak.unavailable.most_common()),
            faults=soak.faults,
        )


async def _soak(soak: Soak, minutes: float, kinds: list[str]) -> None:
    until = time.monotonic() + 60 * minutes
    background = [asyncio.create_task(soak.inject(kinds)), asyncio.create_task(soak.sample())]
    with Progress(console=console) as progress:
        bar = progress.add_task("Soaking", total=60 * minutes)
        while (left := until - time.monotonic()) > 0:
            await soak.load(min(left, 5))
            progress.update(bar, completed=60 * minutes - left)
    for task in background:
        task.cancel()
    outcomes: list[Any] = await asyncio.gather(*background, return_exceptions=True)
    soak.faults += [str(each) for each in outcomes if isinstance(each, Exception)]


def _growth(before: Usage, after: Usage) -> list[str]:
    bounds = (
        ("memory", after.memory_bytes - before.memory_bytes, MAX_MEMORY_GROWTH),
        ("descriptors", after.descriptors - before.descriptors, MAX_DESCRIPTOR_GROWTH),
        ("connections", after.connections - before.connections, MAX_CONNECTION_GROWTH),
    )
    return [f"{name} grew by {by:,}" for name, by, bound in bounds if by > bound]


def _show(outcome: Outcome) -> None:
    table = Table("", "Before", "After", title=f"{outcome.minutes:g} minutes of faults")
    mebibytes = [
        f"{each.memory_bytes / MEBIBYTE:,.0f} MiB" for each in (outcome.before, outcome.after)
    ]
    table.add_row("Memory (PSS)", *mebibytes)
    table.add_row("Descriptors", str(outcome.before.descriptors), str(outcome.after.descriptors))
    table.add_row("Connections", str(outcome.before.connections), str(outcome.after.connections))
    console.print(table)
    console.print(f"Peak of memory: {outcome.peak_memory_bytes / MEBIBYTE:,.0f} MiB")
    for title, counts in (
        ("Faults injected", outcome.faults_injected),
        ("Requests answered", outcome.done),
        ("Requests refused or cut off", outcome.unavailable),
    ):
        console.print(f"{title}: {sum(counts.values()):,}")
        for name, number in list(counts.items())[:MAX_SHOWN]:
            console.print(f"  {number:6,}  {name}", markup=False, highlight=False)


if __name__ == "__main__":
    cli()
