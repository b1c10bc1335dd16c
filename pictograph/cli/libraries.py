"""Opens the library of the settings for a command, and says which one it is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infra.data_folder import EARLIER_FOLDER, user_data_folder
from pictograph import app
from pictograph.cli.console import err
from pictograph.running import library_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain import LibraryUseCases
    from infra.settings import Settings
    from pictograph.app import Pictograph


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncIterator[LibraryUseCases]:
    """Say which library it is, and open it without a model."""
    say_which_library(settings)
    async with app.open_library(settings) as library:
        yield library


@asynccontextmanager
async def open_pictograph(settings: Settings) -> AsyncIterator[Pictograph]:
    """Say which library it is, and open it with its model."""
    say_which_library(settings)
    async with app.open_pictograph(settings) as pictograph:
        yield pictograph


def say_which_library(settings: Settings) -> None:
    """Print the library of the settings on standard error. Raises Misconfigured for a bad URL."""
    err.print(
        f"Library: {library_name(settings)}",
        style="dim",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if _is_earlier_folder(settings):
        err.print(
            f"This folder was found in the current one, where earlier versions kept a library. Set "
            f"PICTOGRAPH_DATA_DIR to it, or move it to {user_data_folder()} while no command uses "
            "it: then every folder that you start a command in has this library.",
            style="dim",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _is_earlier_folder(settings: Settings) -> bool:
    needs_folder = settings.database_url is None or settings.s3_bucket is None
    is_earlier: bool = settings.data_dir.absolute() == Path(EARLIER_FOLDER).absolute()
    return needs_folder and "data_dir" not in settings.model_fields_set and is_earlier
