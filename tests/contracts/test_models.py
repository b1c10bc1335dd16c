"""The promises of the ports of models, and the changes of a model on top of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest
import pytest_asyncio

from domain.entities.models import KnownModel, MissingEmbeddings, ModelState, StoredModel
from domain.entities.work import WorkCounts
from domain.errors import InvalidArgument, Misconfigured
from domain.use_cases.models.add import AddModel
from domain.use_cases.models.drop import DropModel
from infra.postgres.engine import open_engine
from infra.postgres.models.changes import PostgresModelChanges
from infra.postgres.models.models import PostgresModels
from tests.fakes.images import NOON
from tests.fakes.models import MemoryModelLibrary, MemoryModels
from tests.postgres_library import activate
from tests.postgres_models import AT_NEW, AT_OLD, NEW, OLD, PostgresModelLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain import ModelUseCases
    from domain.entities.models import ModelStatus
    from domain.ports import ModelChanges, Models, ModelTransaction

NOW = timedelta()
TEN_SECONDS = timedelta(seconds=10)


class ModelLibrary(Protocol):
    """A library with one ACTIVE model and no image."""

    @property
    def models(self) -> Models: ...
    @property
    def changes(self) -> ModelChanges: ...
    @property
    def use_cases(self) -> ModelUseCases: ...
    async def upload(self) -> UUID: ...
    async def expect_upload(self) -> UUID: ...
    async def work(self, model: StoredModel) -> None: ...
    async def fail_tasks(self, model: StoredModel, reason: str) -> None: ...
    async def lose_tasks(self) -> None: ...
    async def pass_time(self) -> None: ...
    async def states(self) -> dict[str, str]: ...


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def library(request: pytest.FixtureRequest) -> AsyncIterator[ModelLibrary]:
    if request.param == "memory":
        yield MemoryModelLibrary(
            stored={1: StoredModel(1, OLD.name, OLD.dimensions, ModelState.ACTIVE, AT_OLD, NOON)},
            indexed=[1],
        )
        return
    async with open_engine(request.getfixturevalue("postgres_url")) as engine:
        yield PostgresModelLibrary(engine, await activate(engine, OLD, source=AT_OLD))


async def old_model(library: ModelLibrary) -> StoredModel:
    return await library.use_cases.find(OLD.name)


async def new_model(library: ModelLibrary) -> StoredModel:
    """Add the new model without tasks."""

    async def register(models: ModelTransaction) -> StoredModel:
        model = await models.register(NEW, AT_NEW)
        await models.create_embeddings(model)
        await models.save(model.moved_to(ModelState.BACKFILLING))
        return model.moved_to(ModelState.BACKFILLING)

    return await library.changes.run(register)


async def status_of(library: ModelLibrary, name: str) -> ModelStatus:
    [status] = [each for each in await library.models.statuses() if each.name == name]
    return status


async def missing(
    library: ModelLibrary, model: StoredModel, *, ready_for: timedelta = TEN_SECONDS
) -> MissingEmbeddings:
    return await library.changes.run(lambda models: models.missing(model.id, ready_for=ready_for))


# The ports.


async def test_models_are_listed_oldest_first(library: ModelLibrary) -> None:
    added = await new_model(library)
    stored = await library.models.list()
    assert [OLD.name, NEW.name] == [model.name for model in stored]
    assert added == stored[1]
    assert (ModelState.ACTIVE, AT_OLD, True) == (
        stored[0].state,
        stored[0].source,
        stored[0].activated_at is not None,
    )
    assert stored == await library.changes.run(lambda models: models.list())


async def test_a_change_that_raises_is_rolled_back(library: ModelLibrary) -> None:
    async def fail(models: ModelTransaction) -> None:
        model = await models.register(NEW, AT_NEW)
        await models.save(model.moved_to(ModelState.BACKFILLING))
        raise Misconfigured("The change cannot be made.")

    with pytest.raises(Misconfigured):
        await library.changes.run(fail)
    assert {OLD.name: "active"} == await library.states()


async def test_changes_run_one_after_another(library: ModelLibrary) -> None:
    steps: list[str] = []

    async def change(models: ModelTransaction) -> None:
        steps.append("begin")
        await models.list()
        await asyncio.sleep(0.01)
        steps.append("end")

    await asyncio.gather(*(library.changes.run(change) for _ in range(3)))
    assert ["begin", "end"] * 3 == steps


async def test_a_model_is_registered_once_and_gets_a_new_source(library: ModelLibrary) -> None:
    first = await library.changes.run(lambda models: models.register(NEW, "/elsewhere"))
    assert (ModelState.RETIRED, "/elsewhere", None) == (
        first.state,
        first.source,
        first.activated_at,
    )
    again = await library.changes.run(lambda models: models.register(NEW, AT_NEW))
    assert replace(first, source=AT_NEW) == again
    other = replace(NEW, dimensions=5)
    assert first.id != (await library.changes.run(lambda models: models.register(other, "/5"))).id


async def test_the_state_and_the_activation_time_are_saved(library: ModelLibrary) -> None:
    model = replace(await new_model(library), state=ModelState.READY, activated_at=NOON)
    await library.changes.run(lambda models: models.save(model))
    assert model == (await library.models.list())[1]


async def test_missing_tasks_are_enqueued_once(library: ModelLibrary) -> None:
    await library.upload()
    model = await new_model(library)
    assert WorkCounts(0, 0, 0) == (await status_of(library, NEW.name)).work
    await library.changes.enqueue_missing(model.id)
    await library.changes.run(lambda models: models.enqueue_missing(model.id))
    assert WorkCounts(1, 0, 0) == (await status_of(library, NEW.name)).work
    await library.work(model)
    await library.changes.enqueue_missing(model.id)
    assert WorkCounts(0, 0, 0) == (await status_of(library, NEW.name)).work


async def test_missing_embeddings_are_waiting_or_failed(library: ModelLibrary) -> None:
    await library.upload()
    model = await new_model(library)
    assert MissingEmbeddings(0, 0) == await missing(library, model)
    await library.pass_time()
    # Without a task, too.
    assert MissingEmbeddings(1, 0) == await missing(library, model)
    assert MissingEmbeddings(0, 0) == await missing(library, model, ready_for=timedelta(minutes=2))
    await library.changes.enqueue_missing(model.id)
    await library.fail_tasks(model, "It cannot be read.")
    assert MissingEmbeddings(0, 1) == await missing(library, model)
    await library.upload()
    await library.pass_time()
    assert MissingEmbeddings(1, 1) == await missing(library, model)
    await library.work(model)
    assert MissingEmbeddings(0, 1) == await missing(library, model)


async def test_tasks_on_images_that_are_not_ready_are_reassigned(library: ModelLibrary) -> None:
    old, new = await old_model(library), await new_model(library)
    await library.expect_upload()
    await library.upload()
    await library.changes.run(lambda models: models.reassign(old.id, new.id))
    # The READY image was a task of the new model before.
    assert WorkCounts(2, 0, 0) == (await status_of(library, NEW.name)).work
    await library.changes.run(lambda models: models.reassign(new.id, old.id))
    assert WorkCounts(1, 0, 0) == (await status_of(library, OLD.name)).work
    assert WorkCounts(0, 0, 0) == (await status_of(library, NEW.name)).work


async def test_deleted_embeddings_are_gone(library: ModelLibrary) -> None:
    await library.upload()
    model = await library.use_cases.add(NEW, AT_NEW)
    await library.work(model)
    assert 1 == (await status_of(library, NEW.name)).embedded
    await library.changes.delete_derived(model.id)
    assert 1 == (await status_of(library, NEW.name)).embedded
    await library.changes.run(lambda models: models.delete_embeddings(model))
    assert 0 == (await status_of(library, NEW.name)).embedded
    assert 1 == (await status_of(library, OLD.name)).embedded
    # Idempotent, as a drop that was killed is repeated.
    await library.changes.run(lambda models: models.delete_embeddings(model))


async def test_the_end_of_a_backfill_is_locked_once_for_each_model(library: ModelLibrary) -> None:
    old, new = await old_model(library), await new_model(library)
    async with library.changes.backfill(new.id) as first:
        assert first is not None
        async with library.changes.backfill(new.id) as second:
            assert second is None
        async with library.changes.backfill(old.id) as other:
            assert other is not None
    async with library.changes.backfill(new.id) as later:
        assert later is not None


async def test_a_backfill_that_raises_releases_its_lock(library: ModelLibrary) -> None:
    model = await new_model(library)
    with pytest.raises(ConnectionError):
        async with library.changes.backfill(model.id):
            raise ConnectionError
    async with library.changes.backfill(model.id) as later:
        assert later is not None


async def test_a_backfill_waits_for_tasks_on_images_that_were_ready_at_its_cutoff(
    library: ModelLibrary,
) -> None:
    await library.upload()
    await library.pass_time()
    model = await new_model(library)
    async with library.changes.backfill(model.id) as backfill:
        assert backfill
        assert not await backfill.has_waiting(ready_for=NOW)
        await backfill.enqueue_missing()
        assert await backfill.has_waiting(ready_for=NOW)
        assert await backfill.has_waiting(ready_for=TEN_SECONDS)
        assert not await backfill.has_waiting(ready_for=timedelta(minutes=2))
        await library.fail_tasks(model, "It cannot be read.")
        assert not await backfill.has_waiting(ready_for=NOW)
        assert [model.id] == await unindexed(library)
        await backfill.build_index()
        await backfill.build_index()
    assert [] == await unindexed(library)


async def test_the_index_is_left_out_of_a_first_load_and_built_at_its_end(
    library: ModelLibrary,
) -> None:
    model, models = await old_model(library), library.use_cases
    assert await models.defer_index(model.id)
    await models.build_due_indexes()
    # Nothing was loaded yet.
    assert [model.id] == await unindexed(library)
    await library.expect_upload()
    await library.upload()
    await models.build_due_indexes()
    # A task is left.
    assert [model.id] == await unindexed(library)
    await library.work(model)
    await models.build_due_indexes()
    assert [] == await unindexed(library)
    assert not await models.defer_index(model.id)
    assert [] == await unindexed(library)


async def test_an_index_is_built_once_and_not_while_another_process_builds_it(
    library: ModelLibrary,
) -> None:
    model = await old_model(library)
    await library.use_cases.defer_index(model.id)
    async with library.changes.backfill(model.id):
        await library.use_cases.build_index(model.id)
        assert [model.id] == await unindexed(library)
    for _ in range(2):
        await library.use_cases.build_index(model.id)
        assert [] == await unindexed(library)


async def unindexed(library: ModelLibrary) -> list[int]:
    return [each.id for each in await library.models.unindexed()]


async def test_statuses_count_embeddings_and_tasks_and_list_errors(library: ModelLibrary) -> None:
    await library.upload()
    await library.upload()
    model = await new_model(library)
    await library.changes.enqueue_missing(model.id)
    await library.fail_tasks(model, "It cannot be read.")
    await library.upload()
    old, new = await library.models.statuses()
    assert (OLD.name, OLD.dimensions, ModelState.ACTIVE, AT_OLD, 3, 3) == (
        old.name,
        old.dimensions,
        old.state,
        old.source,
        old.embedded,
        old.total,
    )
    assert (WorkCounts(0, 0, 0), (), None) == (old.work, old.errors, old.indexing)
    assert (ModelState.BACKFILLING, AT_NEW, 0, 3) == (
        new.state,
        new.source,
        new.embedded,
        new.total,
    )
    assert (WorkCounts(1, 0, 2), ("It cannot be read.",)) == (new.work, new.errors)


async def test_known_models_count_their_embeddings(library: ModelLibrary) -> None:
    await library.upload()
    await new_model(library)
    assert isinstance(library.models, PostgresModels | MemoryModels)
    assert [
        KnownModel(OLD.name, OLD.dimensions, ModelState.ACTIVE, 1),
        KnownModel(NEW.name, NEW.dimensions, ModelState.BACKFILLING, 0),
    ] == list(await library.models.known())


# The use cases on top of them.


async def ready_model(library: ModelLibrary) -> StoredModel:
    model = await library.use_cases.add(NEW, AT_NEW)
    await library.work(model)
    assert await library.use_cases.finish_backfill(model.id)
    return model


async def test_a_model_is_added_backfilled_promoted_and_rolled_back(library: ModelLibrary) -> None:
    for _ in range(5):
        await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    assert ModelState.BACKFILLING is added.state
    status = await status_of(library, NEW.name)
    assert (0, 5, 5) == (status.embedded, status.total, status.work.waiting)
    assert not await library.use_cases.finish_backfill(added.id)

    await library.work(added)
    assert await library.use_cases.finish_backfill(added.id)
    assert {"tests/old": "active", "tests/new": "ready"} == await library.states()
    await library.upload()

    promoted = await library.use_cases.promote("tests/new")
    assert (NEW.name, ModelState.ACTIVE) == (promoted.name, promoted.state)
    await library.work(added)
    assert 6 == (await status_of(library, NEW.name)).embedded

    assert OLD.name == (await library.use_cases.roll_back()).name
    assert {"tests/old": "active", "tests/new": "ready"} == await library.states()
    assert NEW.name == (await library.use_cases.roll_back()).name


async def test_adding_a_model_again_enqueues_missing_tasks_once(library: ModelLibrary) -> None:
    await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    await library.lose_tasks()
    assert added == await library.use_cases.add(NEW, AT_NEW)
    assert added == await library.use_cases.add(NEW, AT_NEW)
    assert 1 == (await status_of(library, NEW.name)).work.waiting


async def test_a_lost_task_is_enqueued_again_at_the_end_of_the_backfill(
    library: ModelLibrary,
) -> None:
    await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    await library.lose_tasks()
    assert not await library.use_cases.finish_backfill(added.id)
    await library.work(added)
    assert await library.use_cases.finish_backfill(added.id)
    assert 1 == (await status_of(library, NEW.name)).embedded


async def test_an_image_that_is_not_ready_is_a_task_of_the_active_model_alone(
    library: ModelLibrary,
) -> None:
    await library.expect_upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    waiting = [(await status_of(library, model.name)).work.waiting for model in (OLD, NEW)]
    assert [1, 0] == waiting
    assert await library.use_cases.finish_backfill(added.id)


async def test_only_a_ready_and_complete_model_is_promoted(library: ModelLibrary) -> None:
    await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    with pytest.raises(InvalidArgument, match="tests/new is still backfilling"):
        await library.use_cases.promote(NEW.name)
    with pytest.raises(InvalidArgument, match="tests/old is active already"):
        await library.use_cases.promote(OLD.name)
    with pytest.raises(InvalidArgument, match="no earlier model"):
        await library.use_cases.roll_back()
    await library.work(added)
    await library.use_cases.finish_backfill(added.id)
    await library.upload()
    await library.pass_time()
    with pytest.raises(InvalidArgument, match="tests/new has not embedded 1 image yet"):
        await library.use_cases.promote(NEW.name, force=True)
    await library.work(added)
    assert NEW.name == (await library.use_cases.promote(NEW.name)).name


async def test_images_that_a_model_cannot_embed_are_accepted_by_force(
    library: ModelLibrary,
) -> None:
    await library.upload()
    added = await library.use_cases.add(NEW, AT_NEW)
    await library.fail_tasks(added, "It cannot be read.")
    assert await library.use_cases.finish_backfill(added.id)
    status = await status_of(library, NEW.name)
    assert (1, ("It cannot be read.",)) == (status.work.failed, status.errors)
    with pytest.raises(InvalidArgument, match="tests/new cannot embed 1 image,"):
        await library.use_cases.promote(NEW.name)
    await library.use_cases.promote(NEW.name, force=True)
    assert {"tests/old": "ready", "tests/new": "active"} == await library.states()


async def test_a_refused_promotion_leaves_the_tasks_that_were_missing(
    library: ModelLibrary,
) -> None:
    added = await ready_model(library)
    await library.upload()
    await library.pass_time()
    await library.lose_tasks()
    with pytest.raises(InvalidArgument, match="tests/new has not embedded 1 image yet"):
        await library.use_cases.promote(NEW.name)
    await library.work(added)
    await library.use_cases.promote(NEW.name)


async def test_a_dropped_model_keeps_its_name_and_nothing_else(library: ModelLibrary) -> None:
    await library.upload()
    added = await ready_model(library)
    with pytest.raises(InvalidArgument, match="tests/old is active; promote another model first"):
        await library.use_cases.drop(OLD.name)
    await library.expect_upload()
    await library.use_cases.promote(NEW.name)
    assert OLD.name == (await library.use_cases.drop(OLD.name)).name
    assert {"tests/old": "retired", "tests/new": "active"} == await library.states()
    old, new = await library.models.statuses()
    assert (0, 0, 0) == (old.embedded, old.total, old.work.waiting)
    # The expected upload is a task of the active model now.
    assert 1 == new.work.waiting
    await library.work(added)
    assert 2 == (await status_of(library, NEW.name)).embedded
    assert OLD.name == (await library.use_cases.drop(OLD.name)).name
    with pytest.raises(InvalidArgument, match="no earlier model"):
        await library.use_cases.roll_back()


async def test_a_dropped_model_is_not_promoted_and_can_be_added_again(
    library: ModelLibrary,
) -> None:
    await library.upload()
    added = await ready_model(library)
    await library.use_cases.drop(NEW.name)
    with pytest.raises(InvalidArgument, match="tests/new was dropped"):
        await library.use_cases.promote(NEW.name)
    assert added.id == (await ready_model(library)).id
    assert 1 == (await status_of(library, NEW.name)).embedded


async def test_a_model_that_is_added_again_during_its_drop_stays(library: ModelLibrary) -> None:
    await library.upload()
    await ready_model(library)
    dropping = asyncio.create_task(DropModel(library.changes, notice_seconds=0.5)(NEW.name))
    async with asyncio.timeout(30):
        while "retired" != (await library.states())[NEW.name]:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    added = await library.use_cases.add(NEW, AT_NEW)
    await dropping
    await library.work(added)
    assert await library.use_cases.finish_backfill(added.id)
    assert 1 == (await status_of(library, NEW.name)).embedded


async def test_a_library_without_a_model_refuses_another(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        for changes in (MemoryModels(), PostgresModelChanges(engine)):
            with pytest.raises(Misconfigured, match="no model yet"):
                await AddModel(changes)(NEW, AT_NEW)
