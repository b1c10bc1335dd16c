"""Prints the error that ended a command, as one sentence."""

from __future__ import annotations

from domain.errors import Refusal, Unavailable
from pictograph.cli.console import err
from pictograph.cli.remedies import sentence_of


def is_expected(error: Exception) -> bool:
    """Return whether an error is a refusal or an outage, which say all there is to say."""
    return isinstance(error, Refusal | Unavailable)


def print_failure(error: Exception) -> None:
    """Print one sentence on standard error."""
    err.print(_sentence(error), style="red", markup=False, highlight=False, soft_wrap=True)


def _sentence(error: Exception) -> str:
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
