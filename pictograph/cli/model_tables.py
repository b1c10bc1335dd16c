"""Tables of models for the terminal: their progress, and the results of two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from domain.entities.models import ModelState
from domain.entities.queries import ByText, SearchOptions
from pictograph.cli.searching import thumbnails_of
from pictograph.cli.tables import relevance_cell, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from rich.console import RenderableType

    from domain.entities.models import ModelStatus
    from domain.entities.searches import SearchPage
    from domain.runtime.loaded_models import LoadedModel

STYLES = {
    ModelState.ACTIVE: "bold green",
    ModelState.READY: "green",
    ModelState.BACKFILLING: "yellow",
    ModelState.RETIRED: "dim",
}
BAR_WIDTH = 30
NAME_WIDTH = 32

EXACT_SEARCH = SearchOptions(exact=True)
"""Without the index, whose recall says nothing about a model."""


@dataclass(frozen=True, slots=True)
class ResultComparison:
    """The results of two models for one text, and the share that both have in common, 0 to 1."""

    table: RenderableType
    overlap: float


def status_table(statuses: Sequence[ModelStatus]) -> RenderableType:
    """Lay models out in rows, with a progress bar for each that is BACKFILLING."""
    longest = max((len(each.name) for each in statuses), default=0)
    name = Column("Model", min_width=min(longest, NAME_WIDTH), overflow="fold")
    state = Column("State", min_width=len(ModelState.BACKFILLING))
    table = Table(name, state, "Dim.", "Embedded", "Waiting", "Leased", "Failed")
    below: list[RenderableType] = []
    for each in statuses:
        table.add_row(
            Text(each.name),
            Text(each.state, style=STYLES[each.state]),
            str(each.dimensions),
            f"{each.embedded:,} of {each.total:,}" if each.total else f"{each.embedded:,}",
            *(f"{n:,}" for n in (each.work.waiting, each.work.leased, each.work.failed)),
        )
        if each.state is ModelState.BACKFILLING:
            below.append(_progress_bar(each))
        below += [Text(f"{each.name}: {error}", style="red") for error in each.errors]
    return Group(table, *below)


def _progress_bar(status: ModelStatus) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    share = status.embedded / status.total if status.total else 1.0
    label = f"{share:.0%} embedded"
    if status.indexing is not None:
        share, label = status.indexing, f"building the index, {status.indexing:.0%}"
    row.add_row(Text(status.name), ProgressBar(1.0, share, width=BAR_WIDTH), Text(label))
    return row


async def compare_results(
    text: str, pair: tuple[LoadedModel, LoadedModel], *, first: int, pictures: bool
) -> ResultComparison:
    """Search a text by two models, and lay out their results side by side."""
    pages = [
        await loaded.use_cases.search(ByText(text), EXACT_SEARCH, first=first) for loaded in pair
    ]
    ids = [{found.image.id for found in page.found} for page in pages]
    common = ids[0] & ids[1]
    overlap = len(common) / max(1, *map(len, ids))
    columns = [
        await _cells(loaded, page, common, pictures=pictures)
        for loaded, page in zip(pair, pages, strict=True)
    ]
    table = Table("", title=Text(text), caption=f"{overlap:.0%} are the same, in bold.")
    for loaded in pair:
        table.add_column(Text(loaded.model.name), overflow="fold")
    for rank in range(max(map(len, columns))):
        cells = [column[rank] if rank < len(column) else "" for column in columns]
        table.add_row(str(rank + 1), *cells)
    return ResultComparison(table, overlap)


async def _cells(
    loaded: LoadedModel, page: SearchPage, common: set[UUID], *, pictures: bool
) -> list[RenderableType]:
    scored = await loaded.use_cases.search.score(
        page.search.query, [found.hit for found in page.found]
    )
    relevances = {hit.image_id: hit.relevance or 0.0 for hit in scored}
    thumbnails = (
        await thumbnails_of(loaded.use_cases, [found.image for found in page.found])
        if pictures
        else []
    )
    cells: list[RenderableType] = []
    for rank, found in enumerate(page.found):
        style = "bold" if found.image.id in common else ""
        label = Text.assemble(
            (found.image.filename, style),
            "\n",
            relevance_cell(relevances.get(found.image.id, 0.0)),
        )
        cells.append(Group(thumbnail(thumbnails[rank]), label) if thumbnails else label)
    return cells
