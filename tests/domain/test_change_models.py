"""The rules of changing a model: its states, and what each use case refuses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from domain.entities.embeddings import EmbeddingModel
from domain.entities.models import (
    LIVE_STATES,
    MAX_UNINDEXED,
    TRANSITIONS,
    MissingEmbeddings,
    ModelState,
    ModelStatus,
    StoredModel,
)
from domain.entities.work import WorkCounts
from domain.errors import InvalidArgument, Misconfigured, Refusal, Remedy
from domain.use_cases.models.find import find_model
from domain.use_cases.models.finish_backfill import CUTOFF_LIFETIME
from domain.use_cases.models.promote import check_complete, check_ready, previous_model
from tests.fakes.images import NOON
from tests.fakes.models import MemoryModelLibrary

ACTIVE, BACKFILLING, READY, RETIRED = (
    ModelState.ACTIVE,
    ModelState.BACKFILLING,
    ModelState.READY,
    ModelState.RETIRED,
)
PHOTOS = EmbeddingModel("photos", 16)


def model_in(state: ModelState, *, name: str = "photos", id_: int = 2) -> StoredModel:
    return StoredModel(id_, name, 16, state, f"/models/{name}")


@pytest.fixture
def library() -> MemoryModelLibrary:
    library = MemoryModelLibrary()
    library.set_states(cards=ACTIVE)
    return library


# States.


@pytest.mark.parametrize(("state", "other"), [*product(ModelState, ModelState)])
def test_a_model_moves_only_along_its_transitions(state: ModelState, other: ModelState) -> None:
    if other in TRANSITIONS[state]:
        assert other is model_in(state).moved_to(other).state
        return
    with pytest.raises(ValueError, match=f"cannot change from {state} to {other}"):
        model_in(state).moved_to(other)


def test_every_state_but_retired_is_live() -> None:
    assert {*ModelState} - {RETIRED} == {*LIVE_STATES}
    assert [False] == [model_in(state).is_live for state in ModelState if state is RETIRED]


# Finding a model.


@pytest.mark.parametrize("name", ["photos/large", "photos/l", "/models/photos/large"])
def test_a_model_is_found_by_name_beginning_or_source(name: str) -> None:
    models = [model_in(READY, name="photos/small"), model_in(READY, name="photos/large")]
    assert models[1] == find_model(models, name)


def test_an_exact_name_is_no_ambiguous_beginning() -> None:
    models = [model_in(READY, name="photos"), model_in(READY, name="photos/large")]
    assert models[0] == find_model(models, "photos")


def test_an_ambiguous_beginning_is_refused_with_the_candidates() -> None:
    models = [model_in(ACTIVE, name="photos/small"), model_in(READY, name="photos/large")]
    sentence = r"photos can be photos/small \(16 dimensions, active\) and photos/large .*ready"
    with pytest.raises(InvalidArgument, match=sentence) as refused:
        find_model(models, "photos")
    assert ("name",) == refused.value.location


def test_a_live_model_comes_before_a_retired_one() -> None:
    models = [model_in(RETIRED, name="photos/1"), model_in(READY, name="photos/2")]
    assert models[1] == find_model(models, "photos")
    assert models[0] == find_model(models, "photos/1")


def test_an_unknown_name_is_refused_with_the_models_there_are() -> None:
    models = [model_in(ACTIVE, name="cards"), model_in(RETIRED, name="photos")]
    with pytest.raises(InvalidArgument, match=r"called other; there are cards \(.*active\)\.$"):
        find_model(models, "other")
    with pytest.raises(InvalidArgument, match=r"there are cards .* and photos \(.*retired\)\.$"):
        find_model(models, "other", list_retired=True)
    with pytest.raises(InvalidArgument, match="called other; the library has no model"):
        find_model([], "other")


async def test_a_dropped_model_is_not_found_but_can_be_added(library: MemoryModelLibrary) -> None:
    library.set_states(photos=RETIRED)
    assert "cards" == (await library.use_cases.find("ca")).name
    with pytest.raises(InvalidArgument, match="photos was dropped") as refused:
        await library.use_cases.find("photos")
    assert Remedy.ADD_MODEL is refused.value.remedy


# Adding a model.


async def test_the_first_model_is_not_added_but_made_active_by_a_server() -> None:
    with pytest.raises(Misconfigured, match="no model yet") as refused:
        await MemoryModelLibrary().use_cases.add(PHOTOS, "/models/photos")
    assert Remedy.START_SERVER is refused.value.remedy


async def test_a_retired_model_is_backfilled_again_and_forgets_that_it_was_active(
    library: MemoryModelLibrary,
) -> None:
    await library.upload()
    library.set_states(photos=RETIRED)
    library.stored[2] = replace(library.stored[2], activated_at=NOON)
    added = await library.use_cases.add(PHOTOS, "/elsewhere")
    assert (2, BACKFILLING, "/elsewhere", None) == (
        added.id,
        added.state,
        added.source,
        added.activated_at,
    )
    assert 1 == (await library.statuses())[1].work.waiting


@pytest.mark.parametrize("state", [BACKFILLING, READY])
async def test_adding_a_live_model_keeps_its_state_and_its_activation_time(
    library: MemoryModelLibrary, state: ModelState
) -> None:
    library.set_states(photos=state)
    library.stored[2] = replace(library.stored[2], activated_at=NOON)
    added = await library.use_cases.add(PHOTOS, "/elsewhere")
    assert replace(model_in(state), source="/elsewhere", activated_at=NOON) == added


# Promoting a model.


@pytest.mark.parametrize(
    ("state", "sentence", "remedy"),
    [
        (BACKFILLING, "photos is still backfilling", Remedy.WATCH_MODELS),
        (ACTIVE, "photos is active already", None),
        (RETIRED, "photos was dropped", Remedy.ADD_MODEL),
    ],
)
def test_only_a_ready_model_can_be_promoted(
    state: ModelState, sentence: str, remedy: Remedy | None
) -> None:
    check_ready(model_in(READY))
    with pytest.raises(InvalidArgument, match=sentence) as refused:
        check_ready(model_in(state))
    assert (remedy, ("name",)) == (refused.value.remedy, refused.value.location)


@pytest.mark.parametrize(
    ("missing", "force", "sentence"),
    [
        (MissingEmbeddings(waiting=0, failed=0), False, None),
        (MissingEmbeddings(waiting=0, failed=1), True, None),
        (MissingEmbeddings(waiting=0, failed=1), False, "photos cannot embed 1 image, which"),
        (MissingEmbeddings(waiting=1_200, failed=0), False, "not embedded 1,200 images yet"),
        (MissingEmbeddings(waiting=1, failed=1), True, "not embedded 1 image yet"),
    ],
)
def test_a_model_is_complete_without_missing_images_and_by_force_without_waiting_ones(
    missing: MissingEmbeddings, *, force: bool, sentence: str | None
) -> None:
    if sentence is None:
        check_complete(model_in(READY), missing, force=force)
        return
    with pytest.raises(InvalidArgument, match=sentence):
        check_complete(model_in(READY), missing, force=force)


def test_a_user_can_insist_on_an_incomplete_model() -> None:
    with pytest.raises(Refusal) as refused:
        check_complete(model_in(READY), MissingEmbeddings(waiting=0, failed=1), force=False)
    assert Remedy.PROMOTE_INCOMPLETE is refused.value.remedy


async def test_a_promotion_swaps_two_models_and_stores_when(library: MemoryModelLibrary) -> None:
    library.set_states(photos=READY)
    promoted = await library.use_cases.promote("photos")
    assert (ACTIVE, library.clock.now) == (promoted.state, promoted.activated_at)
    cards, photos = await library.list()
    assert photos == promoted
    # It had no activation time; without one, no rollback would find it.
    assert (READY, library.clock.now) == (cards.state, cards.activated_at)


async def test_a_refused_promotion_changes_no_state(library: MemoryModelLibrary) -> None:
    await library.upload()
    library.set_states(photos=READY)
    await library.pass_time()
    with pytest.raises(InvalidArgument, match="has not embedded 1 image yet"):
        await library.use_cases.promote("photos")
    assert {"cards": "active", "photos": "ready"} == await library.states()


async def test_an_image_of_the_last_seconds_does_not_delay_a_promotion(
    library: MemoryModelLibrary,
) -> None:
    library.set_states(photos=READY)
    await library.upload()
    library.clock.pass_time(timedelta(seconds=10))
    assert "photos" == (await library.use_cases.promote("photos")).name


async def test_a_model_that_is_dropped_during_its_promotion_is_refused(
    library: MemoryModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.set_states(photos=READY)

    async def drop_meanwhile(_: int) -> None:
        library.set_states(photos=RETIRED)

    monkeypatch.setattr(library, "enqueue_missing", drop_meanwhile)
    with pytest.raises(InvalidArgument, match="photos was dropped"):
        await library.use_cases.promote("photos")
    assert {"cards": "active", "photos": "retired"} == await library.states()


def test_a_rollback_returns_to_the_model_that_was_active_last() -> None:
    models = [
        replace(model_in(READY, name="older"), activated_at=NOON),
        replace(model_in(READY, name="before"), activated_at=NOON + timedelta(days=1)),
        replace(model_in(ACTIVE, name="now"), activated_at=NOON + timedelta(days=2)),
        model_in(READY, name="never active"),
        replace(model_in(RETIRED, name="dropped"), activated_at=NOON + timedelta(days=3)),
    ]
    assert "before" == previous_model(models).name
    with pytest.raises(InvalidArgument, match="no earlier model") as refused:
        previous_model(models[2:])
    assert Remedy.SHOW_MODELS is refused.value.remedy


async def test_a_rollback_demands_a_complete_model_too(library: MemoryModelLibrary) -> None:
    library.set_states(photos=READY)
    await library.use_cases.promote("photos")
    await library.upload()
    cards = await library.use_cases.find("cards")
    await library.fail_tasks(cards, "It cannot be read.")
    with pytest.raises(InvalidArgument, match="cards cannot embed 1 image"):
        await library.use_cases.roll_back()
    assert "cards" == (await library.use_cases.roll_back(force=True)).name


# Dropping a model.


async def test_the_active_model_is_not_dropped(library: MemoryModelLibrary) -> None:
    with pytest.raises(InvalidArgument, match="cards is active; promote another model first"):
        await library.use_cases.drop("cards")
    assert {"cards": "active"} == await library.states()


@pytest.mark.parametrize("state", [BACKFILLING, READY, RETIRED])
async def test_every_other_model_can_be_dropped(
    library: MemoryModelLibrary, state: ModelState
) -> None:
    await library.upload()
    library.set_states(photos=state)
    library.embedded[2] = {*library.ready_at}
    assert RETIRED is (await library.use_cases.drop("photos")).state
    assert 0 == (await library.statuses())[1].embedded


async def test_servers_get_time_to_notice_the_drop_of_a_live_model_alone(
    library: MemoryModelLibrary,
) -> None:
    library.set_states(photos=READY)
    slow = replace(library.use_cases.drop, notice_seconds=60)
    dropping = asyncio.create_task(slow("photos"))
    while "retired" != (await library.states())["photos"]:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)
    assert not dropping.done()
    dropping.cancel()
    await asyncio.wait([dropping])
    async with asyncio.timeout(30):
        await slow("photos")


# Finishing a backfill.


@pytest.mark.parametrize(
    ("state", "is_finished"), [(READY, True), (ACTIVE, True), (RETIRED, False)]
)
async def test_only_a_backfilling_model_is_finished(
    state: ModelState, *, is_finished: bool
) -> None:
    library = MemoryModelLibrary()
    library.set_states(photos=state)
    assert is_finished is await library.use_cases.finish_backfill(1)
    assert [] == library.indexed
    assert {"photos": state} == await library.states()


async def test_a_backfill_is_finished_by_an_index_once_no_task_is_left(
    library: MemoryModelLibrary,
) -> None:
    await library.upload()
    added = await library.use_cases.add(PHOTOS, "/models/photos")
    assert not await library.use_cases.finish_backfill(added.id)
    assert [] == library.indexed
    await library.work(added)
    assert await library.use_cases.finish_backfill(added.id)
    assert ([added.id], "ready") == (library.indexed, (await library.states())["photos"])


async def test_images_that_arrive_after_the_cutoff_do_not_delay_the_end(
    library: MemoryModelLibrary,
) -> None:
    await library.upload()
    added = await library.use_cases.add(PHOTOS, "/models/photos")
    assert not await library.use_cases.finish_backfill(added.id)
    await library.work(added)
    await library.pass_time()
    await library.upload()
    assert await library.use_cases.finish_backfill(added.id)


async def test_the_cutoff_moves_on_so_that_few_images_are_left_for_the_promotion(
    library: MemoryModelLibrary,
) -> None:
    await library.upload()
    added = await library.use_cases.add(PHOTOS, "/models/photos")
    assert not await library.use_cases.finish_backfill(added.id)
    await library.work(added)
    await library.upload()
    library.clock.pass_time(CUTOFF_LIFETIME + timedelta(seconds=1))
    assert not await library.use_cases.finish_backfill(added.id)


async def test_a_model_that_is_dropped_while_its_index_is_built_stays_retired(
    library: MemoryModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = await library.use_cases.add(PHOTOS, "/models/photos")
    run = library.run

    async def run_after_drop(change: object) -> object:
        monkeypatch.undo()
        await library.use_cases.drop("photos")
        return await run(change)  # type: ignore[arg-type]

    monkeypatch.setattr(library, "run", run_after_drop)
    assert not await library.use_cases.finish_backfill(added.id)
    assert "retired" == (await library.states())["photos"]


async def test_another_process_that_finishes_the_backfill_is_left_alone(
    library: MemoryModelLibrary,
) -> None:
    added = await library.use_cases.add(PHOTOS, "/models/photos")
    async with library.backfill(added.id):
        assert not await library.use_cases.finish_backfill(added.id)
    assert await library.use_cases.finish_backfill(added.id)


# The index of a first load.


@pytest.mark.parametrize(
    ("state", "embedded", "waiting", "leased", "is_due"),
    [
        (ACTIVE, 10, 0, 0, True),
        (READY, 10, 0, 0, True),
        (BACKFILLING, 10, 0, 0, False),
        (RETIRED, 10, 0, 0, False),
        (ACTIVE, 0, 0, 0, False),
        (ACTIVE, 10, 1, 0, False),
        (ACTIVE, 10, 0, 1, False),
        (ACTIVE, MAX_UNINDEXED, 1, 1, True),
    ],
)
def test_an_index_is_due_when_a_load_has_ended_or_grown_large(
    state: ModelState,
    embedded: int,
    waiting: int,
    leased: int,
    is_due: bool,  # noqa: FBT001
) -> None:
    work = WorkCounts(waiting, leased, 7)
    status = ModelStatus("photos", 16, state, None, embedded, embedded, work, (), None)
    assert is_due == status.is_index_due
