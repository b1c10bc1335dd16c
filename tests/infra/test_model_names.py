"""Which model is meant, and which of them a library is searched by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.errors import InvalidArgument, Misconfigured
from infra.postgres.engine import open_engine
from infra.postgres.models.active import activate, source_of_active
from infra.postgres.models.models import PostgresModels
from infra.postgres.work.work import PostgresWorkQueue
from tests.infra.changing import AT_NEW, AT_OLD, NEW, OLD, Changing

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_model_is_meant_by_its_name_its_beginning_or_its_source(library: Changing) -> None:
    await library.ready()
    for said in ("tests/new", "tests/n", AT_NEW):
        assert NEW.name == (await library.models.find(said)).name
    with pytest.raises(InvalidArgument, match=r"tests/ may be tests/old .* and tests/new"):
        await library.models.find("tests/")
    with pytest.raises(InvalidArgument, match=r"No model .* other; there are tests/old .*active"):
        await library.models.find("other")
    await library.models.drop(NEW.name)
    with pytest.raises(InvalidArgument, match="was dropped"):
        await library.models.find("tests/new")


async def test_a_library_decides_for_itself_which_model_answers(library: Changing) -> None:
    engine = library.engine
    # Nothing is here yet: whatever is wanted is taken.
    assert AT_NEW == await source_of_active(engine, AT_NEW)
    await library.upload()
    for wanted in (AT_OLD, OLD.name):
        assert AT_OLD == await source_of_active(engine, wanted)
    assert "/unknown" == await source_of_active(engine, "/unknown")
    assert AT_OLD == await source_of_active(engine, "/unknown", is_set=False)
    await library.ready()
    assert AT_OLD == await source_of_active(engine, AT_NEW)
    await library.models.promote(NEW.name)
    for wanted in (AT_OLD, OLD.name, AT_NEW, NEW.name):
        assert AT_NEW == await source_of_active(engine, wanted)
    await library.models.drop(OLD.name)
    assert AT_NEW == await source_of_active(engine, AT_OLD)


async def test_the_source_of_a_model_from_before_is_filled_in(library: Changing) -> None:
    await library.execute("UPDATE models SET source = NULL, activated_at = NULL")
    await library.upload()
    assert "/wanted" == await source_of_active(library.engine, "/wanted")
    await activate(library.engine, OLD, source="/wanted")
    assert "/wanted" == (await library.status(OLD)).source
    assert await library.ask("SELECT activated_at IS NOT NULL FROM models")


async def test_a_refused_model_is_told_how_to_come_in(library: Changing) -> None:
    await library.upload()
    with pytest.raises(Misconfigured, match=f"models add {AT_NEW}`, or set .* back to {AT_OLD}"):
        await activate(library.engine, NEW, source=AT_NEW)


async def test_a_library_without_a_model_is_told_to_begin_with_one(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine:
        with pytest.raises(Misconfigured, match="no model yet: set PICTOGRAPH_MODEL"):
            await PostgresModels(engine).add(NEW, AT_NEW)


async def test_an_empty_library_hands_its_work_to_the_model_that_follows(
    library: Changing,
) -> None:
    waiting = await library.expect()
    new = await activate(library.engine, NEW, source=AT_NEW)
    [task] = await PostgresWorkQueue(library.engine, new).lease(9, seconds=1)
    assert waiting.id == task.image_id


async def test_the_folder_of_a_dropped_model_may_be_gone(
    library: Changing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await library.upload()
    await library.execute(f"UPDATE models SET source = '{tmp_path / 'old'}'")  # noqa: S608
    await library.ready()
    await library.models.promote(NEW.name)
    await library.models.drop(OLD.name)
    monkeypatch.chdir(tmp_path)
    assert AT_NEW == await source_of_active(library.engine, "old")
