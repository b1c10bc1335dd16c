"""What a change answers: what became of it, and what was refused."""

from collections.abc import Sequence
from enum import Enum

import strawberry

from domain import errors
from domain.entities import uploads
from domain.entities.uploads import Upload
from graph.schema.connections import Image
from graph.schema.errors import code_of, input_path


@strawberry.enum
class UploadErrorCode(Enum):
    """Why a file was refused."""

    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    TOO_LARGE = "TOO_LARGE"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    INVALID_CONTENT = "INVALID_CONTENT"
    TARGET_NOT_FOUND = "TARGET_NOT_FOUND"
    TOO_MANY_FILES = "TOO_MANY_FILES"
    OVERLOADED = "OVERLOADED"


@strawberry.enum
class ImageErrorCode(Enum):
    """Why a change was refused."""

    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"


@strawberry.interface
class UserError:
    """What went wrong, in words that a user can act on."""

    field: list[str] | None = strawberry.field(
        description='Path of the input at fault, e.g. ["input", "files", "2"].'
    )
    message: str = strawberry.field(description="For people.")


@strawberry.type
class UploadUserError(UserError):
    """Why a file was refused."""

    code: UploadErrorCode

    @classmethod
    def of(cls, refusal: errors.Refusal, *, field: Sequence[str]) -> "UploadUserError":
        """Return a refusal as the API shows it. Raises it where no code fits."""
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
    """Why a change was refused."""

    code: ImageErrorCode

    @classmethod
    def of(cls, refusal: errors.Refusal, *, field: Sequence[str]) -> "ImageUserError":
        """Return a refusal as the API shows it. Raises it where no code fits."""
        if isinstance(refusal, errors.InvalidArgument):
            path, code = input_path(refusal.location), ImageErrorCode.INVALID
        elif isinstance(refusal, errors.ImageNotFound):
            path, code = list(field), ImageErrorCode.NOT_FOUND
        else:
            raise refusal
        return cls(field=path, message=refusal.message, code=code)


@strawberry.type
class UploadedImage:
    """What an accepted file became."""

    image: Image
    is_duplicate: bool = strawberry.field(
        description="The same bytes were here already; this is that image."
    )

    @classmethod
    def of(cls, uploaded: uploads.UploadedImage) -> "UploadedImage":
        """Return what the domain made of a file as the API shows it."""
        return cls(image=Image.of(uploaded.image), is_duplicate=uploaded.is_duplicate)


@strawberry.type
class UploadImagesPayload:
    """What became of the files."""

    results: list[UploadedImage | None] = strawberry.field(
        description="One a file, in order; null where it was refused."
    )
    user_errors: list[UploadUserError]


@strawberry.type
class UpdateImagePayload:
    """The image as it is now."""

    image: Image | None
    user_errors: list[ImageUserError]


@strawberry.type
class TagImagesPayload:
    """The images as they are now."""

    images: list[Image]
    user_errors: list[ImageUserError]


@strawberry.type
class DeleteImagesPayload:
    """Which images are gone."""

    deleted_image_ids: list[strawberry.ID]
    user_errors: list[ImageUserError]


@strawberry.input
class UploadImagesInput:
    """Files, and tags for all of them."""

    files: list[Upload]
    tags: list[str] | None = strawberry.UNSET


@strawberry.input
class TagImagesInput:
    """Which images, and which tags."""

    image_ids: list[strawberry.ID]
    tags: list[str]


@strawberry.input
class DeleteImagesInput:
    """Which images."""

    ids: list[strawberry.ID]
