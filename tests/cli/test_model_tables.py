"""What `pictograph models status` shows."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from domain.entities.models import ModelState, ModelStatus
from domain.entities.work import WorkCounts
from pictograph.cli.model_tables import status_table

FILLED = ModelStatus(
    name="photos@12345678",
    dimensions=512,
    state=ModelState.BACKFILLING,
    source="/models/photos",
    embedded=1_500,
    total=2_000,
    work=WorkCounts(waiting=480, leased=16, failed=4),
    errors=("Its bytes are not where they were.",),
    indexing=None,
)


def shown(*statuses: ModelStatus) -> str:
    screen = Console(file=io.StringIO(), width=120)
    screen.print(status_table(statuses))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize(
    "part",
    [
        *("photos@12345678", "backfilling", "512", "1,500 of 2,000", "480", "16", " 4 "),
        *("75% embedded", "photos@12345678: Its bytes are not where they were."),
    ],
)
def test_a_model_that_is_being_filled_shows_how_far_it_has_got(part: str) -> None:
    assert part in shown(FILLED)


def test_an_index_that_is_being_built_shows_that() -> None:
    assert "building the index, 25%" in shown(replace(FILLED, embedded=2_000, indexing=0.25))


def test_what_is_ready_shows_no_bar_and_what_was_dropped_no_total() -> None:
    assert "embedded" not in shown(replace(FILLED, state=ModelState.READY))
    dropped = replace(FILLED, state=ModelState.RETIRED, embedded=0, total=0)
    assert "of 2,000" not in shown(dropped)
    assert "Embedded" in shown()
