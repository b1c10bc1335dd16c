"""Logs of failures that repeat: an outage is one line a minute, without a traceback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from domain.concurrency import periodically
from domain.errors import Overloaded, Refusal, Unavailable
from domain.failure_log import FailureLog
from tests.fakes.encoder import COLOURS
from tests.fakes.images import NOON
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain.use_cases.indexing import IndexImages
    from tests.domain.library_with_tasks import LibraryWithTasks

AWAY = Unavailable("The database is away.")
BEGIN = "the trash could not be emptied"


@dataclass
class Task:
    """A task that repeats, and the seconds at which it does."""

    seconds: float = 0.0
    log: FailureLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = FailureLog(BEGIN, clock=lambda: self.seconds)

    def run(self, error: Exception | None, *, at: float) -> None:
        self.seconds = at
        with self.log.run():
            if error:
                raise error


@pytest.mark.parametrize("error", [AWAY, Overloaded("The database is away.")])
def test_an_outage_is_one_line_a_minute_and_its_end_another(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task()
    for at in (0, 1, 59, 60, 61, 119.5):
        task.run(error, at=at)
    for at in (121, 122):
        task.run(None, at=at)
    line = f"{BEGIN}; trying again: The database is away."
    assert [line, line, f"{BEGIN} for 121 s; it works again"] == caplog.messages
    assert not any(record.exc_info for record in caplog.records)


def test_outages_with_little_time_between_them_are_one_line_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = Task()
    for at in range(0, 120, 2):
        task.run(AWAY, at=at)
        task.run(None, at=at + 1)
    line = f"{BEGIN}; trying again: The database is away."
    assert 2 * [line, f"{BEGIN} for 1 s; it works again"] == caplog.messages


def test_an_outage_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    outage = Unavailable("The database is away.")
    outage.__cause__ = ConnectionRefusedError(111, "refused")
    Task().run(outage, at=0)
    reason = "The database is away. (ConnectionRefusedError: [Errno 111] refused)"
    assert [f"{BEGIN}; trying again: {reason}"] == caplog.messages


def test_a_failure_that_is_no_outage_has_its_traceback_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = Task()
    for at in range(2):
        task.run(ZeroDivisionError(), at=at)
    task.run(None, at=3)
    assert 2 * [f"{BEGIN}; trying again"] == caplog.messages
    assert all(record.exc_info for record in caplog.records)


async def test_a_periodic_task_logs_an_outage_once(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Refusal | Unavailable | None] = [AWAY, AWAY, AWAY, None, None]
    done = asyncio.Event()

    async def work() -> None:
        if not errors:
            done.set()
        elif error := errors.pop(0):
            raise error

    working = asyncio.create_task(periodically(work, every=0, failure=BEGIN))
    await asyncio.wait_for(done.wait(), timeout=30)
    working.cancel()
    await asyncio.wait([working])
    assert caplog.messages == [
        f"{BEGIN}; trying again: The database is away.",
        f"{BEGIN} for 0 s; it works again",
    ]


async def test_a_worker_logs_an_outage_of_storage_once_for_all_its_images(
    library: LibraryWithTasks,
    index: IndexImages,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("The storage is away.")

    for name, colour in COLOURS.items():
        library.add_object(picture_file(colour), f"{name}.png")
    with monkeypatch.context() as patch:
        patch.setattr(library.storage, "write", fail)
        assert [] == [ended async for ended in index()]
    assert ["images could not be indexed; trying again: The storage is away."] == caplog.messages
    for entry in library.work_queue.entries.values():
        entry.due_at = NOON
    assert len(COLOURS) == sum([ended async for ended in index()])
    assert "images could not be indexed for 0 s; it works again" == caplog.messages[-1]
    assert not any(record.exc_info for record in caplog.records)
