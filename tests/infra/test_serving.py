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
    from collections.abc import AsyncIterator, Callable

    import pytest

    from infra.settings import Settings


class Of(SimpleNamespace):
    """The use cases of a model."""


async def serve(
    monkeypatch: pytest.MonkeyPatch,
    served: Callable[[SimpleNamespace, Callable[[str], None]], None],
) -> None:
    """Run ``app.serve`` with a library that does nothing, and a server that calls ``served``."""
    stopping = SimpleNamespace(draining=asyncio.Event(), stopping=asyncio.Event())
    pictograph = SimpleNamespace(
        use_cases=Of(sweep=None, sweep_targets=None),
        library=SimpleNamespace(
            empty_trash=None,
            scrub=None,
            restore_tasks=None,
            models=SimpleNamespace(build_due_indexes=None),
        ),
        loaded_models=SimpleNamespace(ready_use_cases=None),
        refresh_models=print,
        refresh_scans=print,
        work=print,
        http=SimpleNamespace(state=stopping),
    )

    @asynccontextmanager
    async def opened(_: Settings, **__: object) -> AsyncIterator[SimpleNamespace]:
        yield pictograph

    async def serve_http(*_: object, ready: Callable[[str], None], **__: object) -> None:
        served(pictograph, ready)

    async def background(_: object) -> None:
        pass

    monkeypatch.setattr(app, "open_pictograph", opened)
    monkeypatch.setattr(server, "bind", lambda *_: nullcontext())
    monkeypatch.setattr(server, "serve", serve_http)
    await app.serve(read_settings(), ready=print, background=background)


async def test_a_server_keeps_nothing_of_a_model_that_answers_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def served(pictograph: SimpleNamespace, _: object) -> None:
        answered = weakref.ref(pictograph.use_cases)
        pictograph.use_cases = None
        gc.collect()
        assert answered() is None

    await serve(monkeypatch, served)


async def test_what_a_start_has_made_is_exempt_from_garbage_collection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def served(_: object, ready: Callable[[str], None]) -> None:
        gc.unfreeze()
        ready("http://127.0.0.1:8000")
        assert gc.get_freeze_count() > 10_000

    await serve(monkeypatch, served)
    assert "http://127.0.0.1:8000\n" == capsys.readouterr().out
