"""The refusals: what went wrong in words that a user can act on. Everything else is a bug."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a failure of the program
    """One sentence for people that names the culprit and the way out.

    ``argument`` is what it is about as the API spells it, where that is known.
    """

    argument: str | None = None

    @property
    def message(self) -> str:
        """The sentence."""
        return str(self)


class InvalidArgument(Refusal):
    """An argument makes no sense."""

    argument: str

    def __init__(self, argument: str, message: str) -> None:
        """Keep the name of the argument beside the sentence."""
        super().__init__(message)
        self.argument = argument


class ImageNotFound(Refusal):
    """No image has this id."""


class SearchExpired(Refusal):
    """What a search found is no longer kept."""


class Overloaded(Refusal):
    """More work is waiting than can be done soon. Asking again later helps."""


class Unauthorized(Refusal):
    """The key is missing, unknown, revoked, or lacks the scope."""


class UploadRefusal(Refusal):
    """A file cannot become an image."""


class UnsupportedFormat(UploadRefusal):
    """The bytes are of no image format that is accepted."""


class TooLarge(UploadRefusal):
    """The file has more bytes than is allowed."""


class TooManyPixels(UploadRefusal):
    """The picture has more pixels or frames than is allowed."""


class InvalidContent(UploadRefusal):
    """The bytes start like a picture and cannot be decoded, or not in the time allowed."""


class TooManyFiles(UploadRefusal):
    """One request brings more files than is allowed."""


class TargetNotFound(UploadRefusal):
    """A target is unknown or has expired, or nothing was sent to it."""


class UploadForbidden(UploadRefusal):
    """What a client shows to put bytes at a target was not handed out, or has expired."""


class Misconfigured(Refusal):
    """The settings or the surroundings do not let the program start: a model, database or key."""


class BytesMissing(Exception):  # noqa: N818 - named for what it says, like KeyError
    """Storage holds nothing under this key."""


@contextmanager
def blaming(argument: str) -> Iterator[None]:
    """Name the argument that a refusal is about, where it does not do so itself."""
    try:
        yield
    except Refusal as refusal:
        refusal.argument = refusal.argument or argument
        raise
