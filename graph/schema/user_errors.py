"""User errors of mutations: refusals that a payload reports, each with the path of its input."""

from collections.abc import Sequence
from enum import Enum

import strawberry

from domain import errors
from graph.schema.errors import code_of, input_path


@strawberry.enum
class UploadErrorCode(Enum):
    """Why a file was refused."""

    UNSUPPORTED_FORMAT = strawberry.enum_value(
        "UNSUPPORTED_FORMAT", description="The file has no accepted image format."
    )
    TOO_LARGE = strawberry.enum_value(
        "TOO_LARGE", description="The file has more bytes than Service.maxUploadBytes."
    )
    TOO_MANY_PIXELS = strawberry.enum_value(
        "TOO_MANY_PIXELS", description="The picture has more pixels or frames than the limit."
    )
    INVALID_CONTENT = strawberry.enum_value(
        "INVALID_CONTENT",
        description="The picture cannot be decoded, or another field of the input is not valid.",
    )
    TARGET_NOT_FOUND = strawberry.enum_value(
        "TARGET_NOT_FOUND",
        description="The upload target is unknown or expired, or no file was sent to it.",
    )
    TOO_MANY_FILES = strawberry.enum_value(
        "TOO_MANY_FILES", description="The request has more files than the limit."
    )
    OVERLOADED = strawberry.enum_value(
        "OVERLOADED", description="The server is busy. A retry later can succeed."
    )


@strawberry.enum
class ImageErrorCode(Enum):
    """Why a change was refused."""

    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="No image has this id.")
    INVALID = strawberry.enum_value("INVALID", description="A field of the input is not valid.")


@strawberry.interface
class UserError:
    """A refusal that a user can act on."""

    field: list[str] | None = strawberry.field(
        description='The path of the input at fault, such as ["input", "files", "2"].'
    )
    message: str = strawberry.field(description="A sentence for people.")


@strawberry.type
class UploadUserError(UserError):
    """A refused file, or a refused upload as a whole."""

    code: UploadErrorCode
    """Why the file was refused."""

    @classmethod
    def of(cls, refusal: errors.Refusal, *, field: Sequence[str]) -> "UploadUserError":
        """Convert a refusal. Raises it where it has no code, so that it becomes a GraphQL error."""
        if isinstance(refusal, errors.InvalidArgument):
            path, code = input_path(refusal.location), UploadErrorCode.INVALID_CONTENT
        else:
            known = code_of(refusal)
            if known is None or known not in UploadErrorCode.__members__:
                raise refusal
            path, code = list(field), UploadErrorCode[known]
        return cls(field=path, message=refusal.message, code=code)


@strawberry.type
class ImageUserError(UserError):
    """A refused change of an image."""

    code: ImageErrorCode
    """Why the change was refused."""

    @classmethod
    def of(cls, refusal: errors.Refusal, *, field: Sequence[str]) -> "ImageUserError":
        """Convert a refusal. Raises it where it has no code, so that it becomes a GraphQL error."""
        if isinstance(refusal, errors.InvalidArgument):
            path, code = input_path(refusal.location), ImageErrorCode.INVALID
        elif isinstance(refusal, errors.ImageNotFound):
            path, code = list(field), ImageErrorCode.NOT_FOUND
        else:
            raise refusal
        return cls(field=path, message=refusal.message, code=code)
