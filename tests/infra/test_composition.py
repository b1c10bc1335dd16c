"""Which model a server loads at its start."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from infra.settings import read_settings
from pictograph import composition
from tests.postgres_models import AT_NEW, AT_OLD, NEW, OLD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tests.postgres_models import PostgresModelLibrary


async def test_a_server_that_starts_during_a_promotion_loads_the_promoted_model(
    library: PostgresModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    await library.add_ready()
    sources = []

    @asynccontextmanager
    async def loading(_: object, source: str) -> AsyncIterator[SimpleNamespace]:
        sources.append(source)
        if source == AT_OLD:
            await library.use_cases.promote(NEW.name)
        yield SimpleNamespace(model=OLD if source == AT_OLD else NEW)

    monkeypatch.setattr(composition, "open_encoder", loading)
    monkeypatch.setattr(composition, "compose", lambda _, stored, *__: stored)
    nothing: Any = None  # the other adapters are not used here
    shared = composition.Shared(read_settings(), library.engine, *[nothing] * 4)
    async with shared.load_model(None, nothing) as stored:
        assert (NEW.name, AT_NEW) == (stored.name, stored.source)  # type: ignore[attr-defined]
    assert [AT_OLD, AT_NEW] == sources
