"""What a server holds on to while it runs."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import asynccontextmanager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING

from graph.http import server
from infra.settings import read_settings
from pictograph import app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from infra.settings import Settings


class Of(SimpleNamespace):
    """The use cases of a model."""


async def test_a_server_keeps_nothing_of_a_model_that_answers_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopping = SimpleNamespace(draining=asyncio.Event(), stopping=asyncio.Event())
    pictograph = SimpleNamespace(
        use_cases=Of(sweep=None, sweep_targets=None),
        library=SimpleNamespace(empty_trash=None, scrub=None, restore_tasks=None),
        loaded_models=SimpleNamespace(ready_use_cases=None),
        refresh_models=print,
        work=print,
        http=SimpleNamespace(state=stopping),
    )
    answered = weakref.ref(pictograph.use_cases)

    @asynccontextmanager
    async def opened(_: Settings, **__: object) -> AsyncIterator[SimpleNamespace]:
        yield pictograph

    async def served(*_: object, **__: object) -> None:
        pictograph.use_cases = None
        gc.collect()
        assert answered() is None

    async def background(_: object) -> None:
        pass

    monkeypatch.setattr(app, "open_pictograph", opened)
    monkeypatch.setattr(server, "bind", lambda *_: nullcontext())
    monkeypatch.setattr(server, "serve", served)
    await app.serve(read_settings(), ready=print, background=background)
