"""Which models are loaded, and which of them answers."""

from __future__ import annotations

import asyncio

import pytest

from domain.errors import Misconfigured
from domain.runtime.loaded_models import LoadedModels
from tests.domain.shops import (
    ACTIVE,
    BACKFILLING,
    READY,
    RETIRED,
    Shop,
    answering,
    until_closed,
)


async def test_what_the_library_names_answers_until_another_is_promoted(
    shop: Shop, editions: LoadedModels
) -> None:
    assert "old" == answering(editions)
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    assert ("old", ["old", "new"]) == (answering(editions), shop.loaded)
    before = editions.current()
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    assert "new" == answering(editions)
    # Whoever took it before has it to the end.
    assert "old" == before.describe.model.name
    shop.models.set(old=ACTIVE, new=READY)
    await editions.refresh()
    assert ("old", ["old", "new"]) == (answering(editions), shop.loaded)


async def test_a_model_that_was_dropped_is_let_go(shop: Shop, editions: LoadedModels) -> None:
    shop.models.set(new=READY)
    await editions.refresh()
    assert editions.search_of("new") is not None
    shop.models.set(new=RETIRED)
    await editions.refresh()
    assert editions.search_of("new") is None
    await until_closed(shop, "new")
    assert ["old"] == [edition.model.name for edition in editions.kept()]


async def test_a_dropped_model_stays_as_long_as_a_request_may_take(shop: Shop) -> None:
    shop.models.set(old=ACTIVE, new=READY)
    async with LoadedModels.of(shop.models, shop.open, grace=60) as editions:
        await editions.refresh()
        shop.models.set(new=RETIRED)
        await editions.refresh()
        await asyncio.sleep(0)
        assert [] == shop.closed
    assert ["new", "old"] == shop.closed


async def test_one_that_cannot_be_loaded_is_logged_once_and_the_one_before_goes_on(
    shop: Shop, editions: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    shop.damaged.add("new")
    shop.models.set(new=READY)
    for _ in range(3):
        await editions.refresh()
    assert ["new cannot be loaded: The folder /models/new is empty."] == caplog.messages
    shop.models.set(old=READY, new=ACTIVE)
    for _ in range(3):
        await editions.refresh()
    assert (
        "new cannot be loaded; old goes on answering: The folder /models/new is empty."
        == (caplog.messages[-1])
    )
    assert (2, "old") == (len(caplog.messages), answering(editions))
    # The one that goes on is needed even when it was dropped.
    shop.models.set(old=RETIRED)
    await editions.refresh()
    assert "old" == answering(editions)


async def test_one_that_there_is_no_room_for_holds_up_nothing_and_is_not_tried_at_once_again(
    shop: Shop, editions: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    shop.oversized.add("large")
    shop.models.set(large=READY, other=READY)
    for _ in range(3):
        await editions.refresh()
    assert ["large cannot be loaded"] == caplog.messages
    assert ["old", "other"] == shop.loaded


async def test_one_that_was_put_right_is_loaded_when_its_state_changes(
    shop: Shop, editions: LoadedModels
) -> None:
    shop.damaged.add("new")
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    shop.damaged.clear()
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    assert "new" == answering(editions)


async def test_what_cannot_be_loaded_at_the_beginning_is_refused(shop: Shop) -> None:
    shop.models.set(old=ACTIVE)
    shop.damaged.add("old")
    with pytest.raises(Misconfigured, match="/models/old is empty"):
        async with LoadedModels.of(shop.models, shop.open, grace=0):
            pass


async def test_a_follower_keeps_up_and_prepares_also_after_an_outage(
    shop: Shop, editions: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    turn, looked = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        looked.set()
        await turn.wait()
        turn.clear()

    async def look() -> None:
        looked.clear()
        turn.set()
        async with asyncio.timeout(30):
            await looked.wait()

    following = asyncio.create_task(editions.follow(change))
    async with asyncio.timeout(30):
        await looked.wait()
    shop.models.broken = True
    await look()
    assert ["the models could not be looked at; trying again"] == caplog.messages
    shop.models.broken = False
    shop.models.set(old=READY, new=ACTIVE)
    await look()
    assert "new" == answering(editions)
    following.cancel()
    await asyncio.wait([following])
    assert ["old", "new"] == shop.prepared


async def test_what_answers_is_looked_after_first_and_what_is_being_filled_not_yet(
    shop: Shop, editions: LoadedModels
) -> None:
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    assert ["old"] == [each.describe.model.name for each in editions.prepared()]
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    assert ["new", "old"] == [each.describe.model.name for each in editions.prepared()]


async def test_only_what_is_being_filled_is_settled(shop: Shop, editions: LoadedModels) -> None:
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    for edition in editions.kept():
        await editions.settle(edition.model.id)
    assert [shop.models.known["new"].id] == shop.models.settled
