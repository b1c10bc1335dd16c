"""Which model a server loads at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.errors import Misconfigured, Remedy
from domain.use_cases.models.start import ChooseModel
from infra.postgres.work.work import PostgresWorkQueue
from tests.postgres_library import activate
from tests.postgres_models import AT_NEW, AT_OLD, NEW, OLD, PostgresModelLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


async def choose(
    library: PostgresModelLibrary,
    source: str,
    *,
    aliases: Sequence[str] = (),
    is_explicit: bool = True,
) -> str:
    return await ChooseModel(library.changes)(source, aliases=aliases, is_explicit=is_explicit)


async def test_a_library_with_embeddings_keeps_its_active_model(
    library: PostgresModelLibrary,
) -> None:
    # A library without embeddings takes the model that is wanted.
    assert AT_NEW == await choose(library, AT_NEW)
    await library.upload()
    for wanted in (AT_OLD, OLD.name):
        assert AT_OLD == await choose(library, wanted)
    assert "/unknown" == await choose(library, "/unknown")
    assert AT_OLD == await choose(library, "/unknown", is_explicit=False)
    await library.add_ready()
    assert AT_OLD == await choose(library, AT_NEW)
    await library.use_cases.promote(NEW.name)
    for wanted in (AT_OLD, OLD.name, AT_NEW, NEW.name):
        assert AT_NEW == await choose(library, wanted)
    await library.use_cases.drop(OLD.name)
    assert AT_NEW == await choose(library, AT_OLD)


async def test_a_model_of_an_early_version_gets_a_source(library: PostgresModelLibrary) -> None:
    await library.execute("UPDATE models SET source = NULL, activated_at = NULL")
    await library.upload()
    assert "/wanted" == await choose(library, "/wanted")
    await activate(library.engine, OLD, source="/wanted")
    assert "/wanted" == (await library.status(OLD)).source
    assert await library.value_of("SELECT activated_at IS NOT NULL FROM models")


async def test_a_change_of_state_leaves_a_missing_source_alone(
    library: PostgresModelLibrary,
) -> None:
    await library.execute("UPDATE models SET source = NULL, activated_at = NULL")
    await library.add_ready()
    await library.use_cases.promote(NEW.name)
    assert (await library.status(OLD)).source is None
    assert OLD.name == (await library.use_cases.roll_back()).name


async def test_the_refusal_of_another_model_names_both_ways_out(
    library: PostgresModelLibrary,
) -> None:
    await library.upload()
    with pytest.raises(Misconfigured, match=f"add {AT_NEW} to .*, or configure {AT_OLD}") as raised:
        await activate(library.engine, NEW, source=AT_NEW)
    assert Remedy.CHANGE_MODEL is raised.value.remedy


async def test_a_library_without_embeddings_hands_its_tasks_to_the_next_model(
    library: PostgresModelLibrary,
) -> None:
    expected = await library.expect_upload()
    new = await activate(library.engine, NEW, source=AT_NEW)
    [task] = await PostgresWorkQueue(library.engine, new).lease(9, seconds=1)
    assert expected == task.image_id


async def test_the_folder_of_a_dropped_model_may_be_deleted(
    library: PostgresModelLibrary, tmp_path: Path
) -> None:
    await library.upload()
    await library.execute(f"UPDATE models SET source = '{tmp_path / 'old'}'")  # noqa: S608
    await library.add_ready()
    await library.use_cases.promote(NEW.name)
    await library.use_cases.drop(OLD.name)
    assert AT_NEW == await choose(library, "old", aliases=[str(tmp_path / "old")])
