"""Prints the error that ended a command, as one sentence."""

from __future__ import annotations

from pathlib import Path

from domain.errors import Refusal, Unavailable
from infra.filesystem.outages import FULL
from infra.settings import read_settings
from pictograph.cli.console import err
from pictograph.cli.remedies import sentence_of

DATABASE_IS_FULL = "The disk of the database is full"
"""How the outage begins where PostgreSQL has no space."""


def is_expected(error: Exception) -> bool:
    """Return whether an error is a refusal or an outage, which say all there is to say."""
    return isinstance(error, Refusal | Unavailable)


def print_failure(error: Exception) -> None:
    """Print one sentence on standard error."""
    err.print(_sentence(error), style="red", markup=False, highlight=False, soft_wrap=True)


def _sentence(error: Exception) -> str:
    if full := _full_disk(error):
        return (
            f"The disk of {full} is full: make room there. Then run the command again: it goes on "
            "where it stopped."
        )
    if isinstance(error, Refusal):
        return sentence_of(error)
    if isinstance(error, Unavailable):
        return error.with_cause
    return _unexpected(error)


def _unexpected(error: Exception) -> str:
    # Messages of libraries may have several lines, and end with or without a full stop.
    message = " ".join(str(error).split()).rstrip(".")
    detail = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"Unexpected error: {detail}. Set PICTOGRAPH_LOG_LEVEL=debug to see where it occurred."


def _full_disk(error: BaseException | None) -> str | None:
    """Return which folder's disk is full, if that ended the command."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return str(Path(error.filename).parent) if error.filename else _data_folder()
        if isinstance(error, Unavailable) and str(error).startswith(DATABASE_IS_FULL):
            return _data_folder() if read_settings().database_url is None else "the database"
        error = error.__cause__
    return None


def _data_folder() -> str:
    return str(read_settings().data_dir.absolute())
