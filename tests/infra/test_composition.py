"""The model that a server loads at its start."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from infra.settings import read_settings
from pictograph import composition
from tests.infra.changing import AT_NEW, AT_OLD, NEW, OLD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tests.infra.changing import Changing


async def test_a_server_that_starts_during_a_promotion_loads_the_promoted_model(
    library: Changing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    await library.ready()
    loaded = []

    @asynccontextmanager
    async def loading(_: object, source: str) -> AsyncIterator[SimpleNamespace]:
        loaded.append(source)
        if source == AT_OLD:
            await library.models.promote(NEW.name)
        yield SimpleNamespace(model=OLD if source == AT_OLD else NEW)

    monkeypatch.setattr(composition, "open_encoder", loading)
    monkeypatch.setattr(composition, "compose", lambda _, live, *__: live)
    unused: Any = None
    shared = composition.Shared(read_settings(), library.engine, *[unused] * 4)
    async with shared.edition(None, unused) as live:
        assert (NEW.name, AT_NEW) == (live.name, live.source)  # type: ignore[attr-defined]
    assert [AT_OLD, AT_NEW] == loaded
