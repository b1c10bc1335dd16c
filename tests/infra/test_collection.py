"""What a server exempts from garbage collection, and frees all the same."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from pictograph import collection
from pictograph.collection import exempt_what_stays, free_what_was_exempt

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cycle:
    """An object that only garbage collection frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_exempt() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


async def test_what_was_exempt_is_freed_after_its_release_and_the_rest_is_exempt_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collection, "UNLOADING_SECONDS", 0.0)
    model = Cycle()
    released = weakref.ref(model)
    exempt_what_stays()
    del model
    gc.collect()
    assert released() is not None

    free_what_was_exempt()
    await asyncio.sleep(0.01)
    assert released() is None
    assert gc.get_freeze_count() > 10_000


async def test_a_process_that_exempted_nothing_collects_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collection, "UNLOADING_SECONDS", 0.0)
    free_what_was_exempt()
    await asyncio.sleep(0.01)
    assert 0 == gc.get_freeze_count()
