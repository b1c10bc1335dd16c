"""Refusals, errors in words that a user can act on, and outages. Other exceptions are bugs."""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Location: TypeAlias = "tuple[str | int, ...]"
"""Where in the input a refusal points, in the domain's own names.

``("blend", "like", 2, "weight")`` is the weight of the third wanted term. The API spells it as a
path of its arguments, the command line as an option.
"""


class Remedy(StrEnum):
    """A way out that the domain cannot name, since it is a setting, an option or a command.

    The command line turns it into a sentence of its own.
    """

    CHECK_STORAGE = "check_storage"
    """The storage may belong to another database. The caller can insist."""
    CLAIM_STORAGE = "claim_storage"
    """The settings may name the wrong storage or database. The library can take the files over."""
    CHECK_PLACE = "check_place"
    """A folder or bucket may be unavailable. The caller can insist."""
    LIST_OBJECTS = "list_objects"
    """The objects can be named in a manifest."""
    CHANGE_MODEL = "change_model"
    """Another model can be added, and the configured one can be set back."""
    START_SERVER = "start_server"
    """A new library gets its first model when the server starts."""
    USE_BUNDLED_MODEL = "use_bundled_model"
    """A model comes with the program, which needs no network."""
    SHOW_MODELS = "show_models"
    """The states of the models show what can be promoted."""
    WATCH_MODELS = "watch_models"
    """The progress of the backfill can be watched."""
    ADD_MODEL = "add_model"
    """A dropped model can be added again."""
    PROMOTE_INCOMPLETE = "promote_incomplete"
    """The errors can be listed, and the caller can insist."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a failure of the program
    """One sentence for people that names the culprit and the way out."""

    location: Location = ()
    """Empty where no single part of the input is at fault."""
    remedy: Remedy | None = None

    @property
    def message(self) -> str:
        """The sentence."""
        return str(self)

    def with_remedy(self, remedy: Remedy) -> Refusal:
        """Return this refusal with a way out that the sentence does not name."""
        self.remedy = remedy
        return self


class InvalidArgument(Refusal):
    """An argument is not valid."""

    def __init__(self, location: Location, message: str) -> None:
        """Keep the location beside the sentence."""
        super().__init__(message)
        self.location = location


class ImageNotFound(Refusal):
    """No image has this id."""


class ImageProcessing(Refusal):
    """The image is still PROCESSING: this variant of it is not made yet. A later retry succeeds."""


class SearchExpired(Refusal):
    """The results of a search are no longer kept."""


class Overloaded(Refusal):
    """The queue is full. A retry later can succeed."""


class Unauthorized(Refusal):
    """The key is missing, unknown or revoked, or it lacks the scope."""


class UploadRefusal(Refusal):
    """A file cannot become an image."""


class UnsupportedFormat(UploadRefusal):
    """The bytes have no accepted image format."""


class TooLarge(UploadRefusal):
    """The file has more bytes than the limit."""


class TooManyPixels(UploadRefusal):
    """The picture has more pixels or frames than the limit."""


class InvalidContent(UploadRefusal):
    """The bytes begin like a picture, but decoding fails or exceeds its limits."""


class TooManyFiles(UploadRefusal):
    """One request has more files than the limit."""


class TargetNotFound(UploadRefusal):
    """An upload target is unknown or expired, or no file was sent to it."""


class UploadForbidden(UploadRefusal):
    """The signed form of an upload is invalid or expired."""


class Misconfigured(Refusal):
    """The program cannot start or go on with these settings: a model, database, storage or key."""


class Unavailable(Exception):  # noqa: N818 - the state of what the server depends on
    """The database, the storage or a disk does not work at the moment. A later retry can succeed.

    This is no refusal: what fails so is retried or returned to its queue, and is never given up.
    The text is a sentence for clients; the cause is in ``__cause__``.
    """

    @property
    def with_cause(self) -> str:
        """The sentence with the cause, for logs."""
        cause = self.__cause__
        return f"{self} ({type(cause).__name__}: {cause})" if cause else str(self)


class AccessRefused(Unavailable):
    """A store refuses the server's keys, so nothing of one place can be read.

    ``explanation`` is a sentence for operators, which names the place and the settings.
    """

    def __init__(self, explanation: str) -> None:
        """Keep the explanation from clients."""
        super().__init__("The server may not read its object store; its operator must change that.")
        self.explanation = explanation

    @property
    def with_cause(self) -> str:
        """The explanation, for logs."""
        return self.explanation


class BytesMissing(Exception):  # noqa: N818 - named for what it says, like KeyError
    """Storage has no object under this key."""


@contextmanager
def locating(*location: str | int) -> Iterator[None]:
    """Add a location to a refusal that is raised inside without one."""
    try:
        yield
    except Refusal as refusal:
        refusal.location = refusal.location or location
        raise
