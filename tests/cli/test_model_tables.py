"""What `pictograph models status` shows."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from domain.entities.models import ModelState, ModelStatus
from domain.entities.work import WorkCounts
from pictograph.cli.model_tables import status_table

BACKFILLING_MODEL = ModelStatus(
    name="photos@12345678",
    dimensions=512,
    state=ModelState.BACKFILLING,
    source="/models/photos",
    embedded=1_500,
    library_size=2_000,
    work=WorkCounts(waiting=480, leased=16, failed=4),
    errors=("The original is missing.",),
    indexing=None,
)


def shown(*statuses: ModelStatus) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(status_table(statuses))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "part",
    [
        *("photos@12345678", "backfilling", "512", "1,500 of 2,000", "480", "16", " 4 "),
        *("75% embedded", "photos@12345678: The original is missing."),
    ],
)
def test_a_backfilling_model_shows_its_progress(part: str) -> None:
    assert part in shown(BACKFILLING_MODEL)


def test_a_backfilling_model_shows_the_progress_of_its_index() -> None:
    assert "building the index, 25%" in shown(
        replace(BACKFILLING_MODEL, embedded=2_000, indexing=0.25)
    )


def test_a_ready_model_shows_no_progress_bar_and_a_dropped_one_no_total() -> None:
    assert "embedded" not in shown(replace(BACKFILLING_MODEL, state=ModelState.READY))
    dropped = replace(BACKFILLING_MODEL, state=ModelState.RETIRED, embedded=0)
    assert "of 2,000" not in shown(dropped)
    assert "Embedded" in shown()
