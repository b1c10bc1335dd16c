"""The report of a run: a table for the console, a table for documents, and JSON."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # no types
from rich.table import Table

from benchmarks.growth import growth_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from benchmarks.figures import Figure
    from benchmarks.growth import Growth

PLACE = re.compile(r"(?<=<!-- benchmarks -->\n).*?(?=<!-- end of benchmarks -->)", re.DOTALL)
"""The place of the report in a document."""

HEAD = ("figure", "plain pipeline", "Pictograph", "times as good", "floor", "of the floor", "what")
PACKAGES = ("torch", "transformers", "openvino", "pillow", "pgvector", "asyncpg", "starlette")
GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were measured on."""

    processor: str
    cores: int
    memory_gigabytes: float
    python: str
    packages: dict[str, str]

    @classmethod
    def this_one(cls) -> Machine:
        """Describe this machine."""
        return cls(
            _processor(),
            len(os.sched_getaffinity(0)),
            round(psutil.virtual_memory().total / GIGABYTE, 1),
            platform.python_version(),
            {name: found for name in PACKAGES if (found := _version(name))},
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run."""

    machine: Machine
    budget: str
    """The name of the budget: full or quick."""
    library_size: int
    seconds: float
    load_average: float
    """The mean number of running tasks in the quarter of an hour before the end of the run."""
    figures: tuple[Figure, ...]
    growth: tuple[Growth, ...]
    skipped: tuple[str, ...] = ()
    """What was not measured, because the time was over."""

    def json(self) -> str:
        """Return the report with every round, the medians and the ratios."""
        figures = [
            asdict(figure)
            | {
                "median": figure.value,
                "plain_median": figure.plain_value,
                "floor_median": figure.floor_value,
                "times_as_good": figure.gain,
                "share_of_floor": figure.share_of_floor,
            }
            for figure in self.figures
        ]
        return json.dumps(asdict(self) | {"figures": figures}, indent=2) + "\n"

    def markdown(self) -> str:
        """Return the report as tables for a document."""
        lines = [self.summary, "", *_markdown_table(HEAD, [_cells(each) for each in self.figures])]
        if self.growth:
            head, rows = growth_table(self.growth)
            lines += ["", "Growth, with synthetic vectors:", "", *_markdown_table(head, rows)]
        return "\n".join(["", *lines, "", ""])

    def print(self, console: Console) -> None:
        """Print the report as tables. What a floor consists of is in the document."""
        table = Table(*HEAD[:-1], title=self.summary)
        for figure in self.figures:
            table.add_row(*_cells(figure)[:-1])
        console.print(table)
        if self.growth:
            head, rows = growth_table(self.growth)
            table = Table(*head, title="Growth, with synthetic vectors")
            for row in rows:
                table.add_row(*row)
            console.print(table)

    @property
    def summary(self) -> str:
        """The conditions of the run, in a sentence or two."""
        machine = self.machine
        rounds = max((len(figure.ours) for figure in self.figures), default=0)
        skipped = f" Not measured for lack of time: {', '.join(self.skipped)}."
        return (
            f"{machine.cores} cores ({machine.processor}), {machine.memory_gigabytes:.0f} GB of "
            f"memory, {self.library_size:,} pictures, medians of up to {rounds} alternating "
            f"rounds, in {self.seconds:.0f} s. Load average at the end: {self.load_average:.1f}."
            f"{skipped if self.skipped else ''}"
        )


def write_into(document: Path, content: str) -> None:
    """Replace what is between the two comments of a document. Raises ValueError without them."""
    text = document.read_text()
    if not PLACE.search(text):
        raise ValueError(f"{document} has no place for the report: <!-- benchmarks -->")
    document.write_text(PLACE.sub(lambda _: content, text, count=1))


def number(value: float) -> str:
    """Return a number with three significant digits, and no exponent."""
    if value >= 100:  # noqa: PLR2004 - three digits before the point
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cells(figure: Figure) -> list[str]:
    def with_unit(value: float | None) -> str:
        if value is None:
            return "-"
        space = "" if figure.unit.startswith("/") else " "
        return f"{number(value)}{space}{figure.unit}"

    def ratio(value: float | None) -> str:
        return "-" if value is None else number(value)

    return [
        figure.name,
        with_unit(figure.plain_value),
        with_unit(figure.value),
        ratio(figure.gain),
        with_unit(figure.floor_value),
        ratio(figure.share_of_floor),
        figure.limit,
    ]


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
