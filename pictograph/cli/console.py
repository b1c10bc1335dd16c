"""What all commands share: the screen, the settings, and running to the end."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console

from infra.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

out = Console()
err = Console(stderr=True)


def settings_of(**given: object) -> Settings:
    """Read the settings, options first, and log as they say."""
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING
    )
    for ours in ("domain", "graph", "infra", "pictograph", "uvicorn"):
        logging.getLogger(ours).setLevel(settings.log_level.upper())
    return settings


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end. SIGTERM ends it as Ctrl-C does: cleanly, with nothing left running."""

    async def run() -> T:
        task = asyncio.ensure_future(coroutine)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None
