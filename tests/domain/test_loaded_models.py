"""Loading, switching and unloading models while requests run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from domain.errors import Misconfigured
from tests.domain.model_loader import (
    ACTIVE,
    BACKFILLING,
    READY,
    RETIRED,
    FakeModelLoader,
    active_name,
    until_closed,
)

if TYPE_CHECKING:
    from domain.runtime.loaded_models import LoadedModels


async def test_the_active_model_is_used_until_another_is_promoted(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    assert "old" == active_name(loaded_models)
    loader.models.set_states(new=BACKFILLING)
    await loaded_models.refresh()
    assert ("old", ["old", "new"]) == (active_name(loaded_models), loader.loaded)
    before = loaded_models.use_cases()
    loader.models.set_states(old=READY, new=ACTIVE)
    await loaded_models.refresh()
    assert "new" == active_name(loaded_models)
    # A request that began before the promotion keeps its model.
    assert "old" == before.describe.model.name
    loader.models.set_states(old=ACTIVE, new=READY)
    await loaded_models.refresh()
    assert ("old", ["old", "new"]) == (active_name(loaded_models), loader.loaded)


async def test_a_dropped_model_is_unloaded(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    loader.models.set_states(new=READY)
    await loaded_models.refresh()
    assert loaded_models.search_of("new") is not None
    loader.models.set_states(new=RETIRED)
    await loaded_models.refresh()
    assert loaded_models.search_of("new") is None
    await until_closed(loader, "new")
    assert ["old"] == [loaded.model.name for loaded in loaded_models.live()]


async def test_a_dropped_model_stays_loaded_for_the_grace_period(loader: FakeModelLoader) -> None:
    loader.models.set_states(old=ACTIVE, new=READY)
    async with loader.open(grace_seconds=60) as loaded_models:
        await loaded_models.refresh()
        loader.models.set_states(new=RETIRED)
        await loaded_models.refresh()
        await asyncio.sleep(0)
        assert [] == loader.closed
    assert ["new", "old"] == loader.closed


async def test_a_model_that_cannot_be_loaded_is_logged_once_and_the_one_before_stays_in_use(
    loader: FakeModelLoader, loaded_models: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    loader.damaged.add("new")
    loader.models.set_states(new=READY)
    for _ in range(3):
        await loaded_models.refresh()
    assert ["new cannot be loaded: The folder /models/new is empty."] == caplog.messages
    loader.models.set_states(old=READY, new=ACTIVE)
    for _ in range(3):
        await loaded_models.refresh()
    assert (
        "new cannot be loaded; old goes on answering: The folder /models/new is empty."
        == (caplog.messages[-1])
    )
    assert (2, "old") == (len(caplog.messages), active_name(loaded_models))
    # The model in use stays loaded even if it is dropped.
    loader.models.set_states(old=RETIRED)
    await loaded_models.refresh()
    assert "old" == active_name(loaded_models)


async def test_a_model_that_does_not_fit_into_memory_delays_no_other_and_is_retried_later(
    loader: FakeModelLoader, loaded_models: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    loader.oversized.add("large")
    loader.models.set_states(large=READY, other=READY)
    for _ in range(3):
        await loaded_models.refresh()
    assert ["large cannot be loaded"] == caplog.messages
    assert ["old", "other"] == loader.loaded


async def test_a_repaired_model_is_loaded_when_its_state_changes(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    loader.damaged.add("new")
    loader.models.set_states(new=BACKFILLING)
    await loaded_models.refresh()
    loader.damaged.clear()
    loader.models.set_states(old=READY, new=ACTIVE)
    await loaded_models.refresh()
    assert "new" == active_name(loaded_models)


async def test_a_start_without_a_loadable_model_is_refused(loader: FakeModelLoader) -> None:
    loader.models.set_states(old=ACTIVE)
    loader.damaged.add("old")
    with pytest.raises(Misconfigured, match="/models/old is empty"):
        async with loader.open():
            pass


async def test_the_refresh_loop_survives_an_outage_and_warms_up_each_model(
    loader: FakeModelLoader, loaded_models: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    models_changed, is_waiting = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_waiting.set()
        await models_changed.wait()
        models_changed.clear()

    async def run_one_refresh() -> None:
        is_waiting.clear()
        models_changed.set()
        async with asyncio.timeout(30):
            await is_waiting.wait()

    refreshing = asyncio.create_task(loaded_models.keep_refreshing(wait))
    async with asyncio.timeout(30):
        await is_waiting.wait()
    loader.models.lost_connection = True
    await run_one_refresh()
    assert ["the models could not be read; trying again"] == caplog.messages
    loader.models.lost_connection = False
    loader.models.set_states(old=READY, new=ACTIVE)
    await run_one_refresh()
    assert "new" == active_name(loaded_models)
    refreshing.cancel()
    await asyncio.wait([refreshing])
    assert ["old", "new"] == loader.warmed_up


async def test_ready_models_are_listed_active_first_and_backfilling_ones_are_not(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    loader.models.set_states(new=BACKFILLING)
    await loaded_models.refresh()
    assert ["old"] == [each.describe.model.name for each in loaded_models.ready_use_cases()]
    loader.models.set_states(old=READY, new=ACTIVE)
    await loaded_models.refresh()
    assert ["new", "old"] == [each.describe.model.name for each in loaded_models.ready_use_cases()]


async def test_only_a_backfilling_model_is_finished(
    loader: FakeModelLoader, loaded_models: LoadedModels
) -> None:
    loader.models.set_states(new=BACKFILLING)
    await loaded_models.refresh()
    for loaded in loaded_models.live():
        await loaded_models.finish_backfill(loaded.model.id)
    new = loader.models.find("new")
    assert new
    assert [new.id] == loader.finished
