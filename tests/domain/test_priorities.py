"""The order in which waiting calls are served, and which calls have which priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.concurrency import AgeingQueue, Priority
from domain.errors import Overloaded
from tests.fakes.imaging import FakeImaging

if TYPE_CHECKING:
    from domain import UseCases

UPLOAD, EXAMPLE, BACKGROUND = Priority.UPLOAD, Priority.EXAMPLE, Priority.BACKGROUND


def drain(queue: AgeingQueue[str]) -> list[str]:
    found = []
    while popped := queue.pop():
        found.append(popped[0])
    return found


def test_uploads_come_before_examples_and_these_before_background_work() -> None:
    queue = AgeingQueue[str]()
    for item, priority in [
        *(("b1", BACKGROUND), ("e1", EXAMPLE), ("u1", UPLOAD)),
        *(("b2", BACKGROUND), ("e2", EXAMPLE), ("u2", UPLOAD)),
    ]:
        queue.push(item, priority)
    assert ["u1", "u2", "e1", "e2", "b1", "b2"] == drain(queue)


@pytest.mark.parametrize("priority", [EXAMPLE, BACKGROUND])
def test_a_call_is_overtaken_by_a_bounded_number_of_uploads(priority: Priority) -> None:
    queue = AgeingQueue[str]()
    queue.push("aged", priority)
    served = []
    for number in range(200):
        queue.push(f"u{number}", UPLOAD)
        popped = queue.pop()
        assert popped
        served.append(popped[0])
    assert priority == served.index("aged")


def test_background_work_advances_under_an_endless_stream_of_examples() -> None:
    queue = AgeingQueue[str](max_waiting=1_000)
    for number in range(10):
        queue.push(f"b{number}", BACKGROUND)
    served = []
    for number in range(600):
        queue.push(f"e{number}", EXAMPLE)
        popped = queue.pop()
        assert popped
        served.append(popped[0])
    assert [f"b{number}" for number in range(10)] == [each for each in served if each[0] == "b"]


def test_each_priority_has_a_bounded_queue_of_its_own() -> None:
    queue = AgeingQueue[str](max_waiting=2)
    queue.push("e1", EXAMPLE)
    queue.push("e2", EXAMPLE)
    with pytest.raises(Overloaded, match="Too many pictures are waiting; send this one again"):
        queue.push("e3", EXAMPLE)
    queue.push("u1", UPLOAD)
    queue.discard("e1", EXAMPLE)
    queue.push("e4", EXAMPLE)
    assert ["u1", "e2", "e4"] == drain(queue)


def test_items_of_some_priorities_can_be_passed_over() -> None:
    queue = AgeingQueue[str]()
    queue.push("e1", EXAMPLE)
    queue.push("b1", BACKGROUND)
    assert ("b1", BACKGROUND) == queue.pop([UPLOAD, BACKGROUND])
    assert queue.pop([UPLOAD, BACKGROUND]) is None
    assert ("e1", EXAMPLE) == queue.pop()
    assert queue.pop() is None


def test_each_use_case_decodes_with_the_priority_of_those_who_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(FakeImaging, "with_priority", lambda _, priority: priority)
    use_cases: UseCases = request.getfixturevalue("use_cases")
    expected: dict[str, object] = {
        "upload": UPLOAD,
        "complete_uploads": UPLOAD,
        "search": EXAMPLE,
        "index": BACKGROUND,
        "import_copies": BACKGROUND,
        "hash_images": BACKGROUND,
        "estimate": BACKGROUND,
    }
    assert expected == {
        "upload": use_cases.upload.imaging,
        "complete_uploads": use_cases.complete_uploads.imaging,
        "search": use_cases.search.encode_query.imaging,
        "index": use_cases.index.imaging,
        "import_copies": use_cases.import_copies.upload.imaging,
        "hash_images": use_cases.hash_images.imaging,
        "estimate": use_cases.estimate.imaging,
    }
