"""The consoles, the settings and the event loop that all commands use."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from infra.settings import Settings

T = TypeVar("T")

LOGGED_PACKAGES = ("domain", "graph", "infra", "pictograph", "uvicorn")
"""The packages that log at the level of the settings. Others log warnings."""

out = Console()
err = Console(stderr=True)


def settings_of(**options: object) -> Settings:
    """Read the settings, and set up logging. An option that is not None overrides its variable."""
    from infra.settings import read_settings  # noqa: PLC0415 - slow to import, and not for --help

    given = {name: value for name, value in options.items() if value is not None}
    settings = read_settings(**given)
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING
    )
    for package in LOGGED_PACKAGES:
        logging.getLogger(package).setLevel(settings.log_level.upper())
    return settings


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine. SIGTERM cancels it as Ctrl-C does: it cleans up, and the status is 130."""

    async def run() -> T:
        task = asyncio.ensure_future(coroutine)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None
