"""The data folder of a library where PICTOGRAPH_DATA_DIR is unset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

if TYPE_CHECKING:
    from collections.abc import Sequence

LIBRARY_FOLDERS = ("files", "postgres", "uploads")
"""The folders of the library in its data folder."""

EARLIER_FOLDER = Path("pictograph-data")
"""Where earlier versions kept a library: in the folder that a command was started in."""


def default_data_folder(holding: Sequence[str] = LIBRARY_FOLDERS) -> Path:
    """Return the folder of an earlier version if it holds any of these, else the user's."""
    if any((EARLIER_FOLDER / name).is_dir() for name in holding):
        return EARLIER_FOLDER
    return user_data_folder()


def user_data_folder() -> Path:
    """Return the user's data folder by the platform's convention.

    A user without a home directory has the one of earlier versions.
    """
    try:
        return user_data_path("pictograph", appauthor=False)
    except RuntimeError:
        return EARLIER_FOLDER
