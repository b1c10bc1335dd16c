"""Uploads: files in the request itself, and files that clients send to upload targets."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import strawberry

from domain.entities import uploads
from domain.entities.keys import Scope
from domain.entities.upload_targets import AnnouncedFile, OfferedTarget, UploadForm
from domain.entities.uploads import Upload
from domain.errors import InvalidArgument, Refusal, TargetNotFound
from graph.schema.arguments import none_if_unset
from graph.schema.context import Info
from graph.schema.ids import UPLOAD_TARGET, global_id, uuid_of
from graph.schema.scalars import URL
from graph.schema.search_results import Image
from graph.schema.user_errors import UploadUserError

T = TypeVar("T")


@strawberry.input
class UploadImagesInput:
    """Files to add to the library, and tags for all of them."""

    files: list[Upload]
    """The files of the request, at most Service.maxFilesPerRequest."""
    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Also added to images that are already in the library.",
    )


@strawberry.type
class UploadedImage:
    """The image of an accepted file."""

    image: Image
    """The image of the file: a new one, or the earlier one with the same bytes."""
    is_duplicate: bool = strawberry.field(
        description="True when the library already had an image with the same bytes: this image."
    )
    added_tags: list[str]
    """The tags that this upload added to the image. Of a duplicate, those that it lacked."""
    was_restored: bool
    """True when the image was in the trash, and this upload restored it."""

    @classmethod
    def of(cls, uploaded: uploads.UploadedImage) -> "UploadedImage":
        """Convert an uploaded image of the domain."""
        return cls(
            image=Image.of(uploaded.image),
            is_duplicate=uploaded.is_duplicate,
            added_tags=list(uploaded.added_tags),
            was_restored=uploaded.was_restored,
        )


@strawberry.type
class UploadImagesPayload:
    """The result of each file."""

    results: list[UploadedImage | None] = strawberry.field(
        description="One for each file, in order; null for a refused file."
    )
    user_errors: list[UploadUserError]
    """The refused files, each with its place in the input."""


@strawberry.input
class UploadTargetInput:
    """A file that the client is going to send."""

    filename: str
    """The name of the file, of which the last 255 characters without folders are kept."""
    content_type: str
    """The media type that the browser says; it may be empty. The bytes decide when the upload is
    completed."""
    byte_size: int
    """The exact size of the file in bytes, at most Service.maxUploadBytes."""
    sha256: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The SHA-256 of the file in hexadecimal. A file that the library already has need not "
            "be sent."
        ),
    )


@strawberry.input
class CreateUploadTargetsInput:
    """The files that the client is going to send, at most 100."""

    files: list[UploadTargetInput]
    """The files, 1 to 100."""


@strawberry.type
class UploadTargetField:
    """A field of the form that uploads a file."""

    name: str
    """The name of the field."""
    value: str
    """The value of the field, to be sent as it is."""


@strawberry.type
class UploadTarget:
    """The form that uploads one file."""

    id: strawberry.ID
    """The id to send to `completeUploads`."""
    existing: Image | None = strawberry.field(
        description="The image, when the library already has the file. Nothing needs to be sent."
    )
    url: URL | None = strawberry.field(
        description=(
            "POST multipart/form-data to this URL: every field in order, then the file as `file`. "
            "Null when nothing needs to be sent."
        )
    )
    fields: list[UploadTargetField]
    """The fields of the form, in order. Empty when nothing needs to be sent."""
    expires_at: datetime
    """Until when a file can be sent and the upload be completed."""

    @classmethod
    def of(cls, offered: OfferedTarget, *, base_url: str) -> "UploadTarget":
        """Convert a target of the domain; ``base_url`` is the public URL of this server."""
        form, existing = offered.form, offered.existing
        return cls(
            id=global_id(offered.target.id, UPLOAD_TARGET),
            existing=Image.of(existing) if existing else None,
            url=_url_of(form, base_url) if form else None,
            fields=[
                UploadTargetField(name=name, value=value)
                for name, value in (form.fields if form else ())
            ],
            expires_at=offered.target.expires_at,
        )


@strawberry.type
class CreateUploadTargetsPayload:
    """The upload target of each file."""

    targets: list[UploadTarget | None] = strawberry.field(
        description="One for each file, in order; null for a refused file."
    )
    user_errors: list[UploadUserError]
    """The refused files, each with its place in the input."""


@strawberry.input
class CompleteUploadsInput:
    """The targets to which files were sent, and tags for all of the images."""

    target_ids: list[strawberry.ID]
    """The ids of upload targets, at most 100."""
    tags: list[str] | None = strawberry.UNSET
    """Also added to images that are already in the library. At most 50 tags of 64 characters."""


@strawberry.type
class CompleteUploadsPayload:
    """The result of each upload target."""

    results: list[UploadedImage | None] = strawberry.field(
        description="One for each target, in order; null for a refused file."
    )
    user_errors: list[UploadUserError]
    """The refused files, each with its place in the input."""


@strawberry.type
class UploadMutation:
    """The mutations that add images."""

    @strawberry.mutation
    async def upload_images(
        self,
        info: Info,
        input: UploadImagesInput,  # noqa: A002 - Relay's name
    ) -> UploadImagesPayload | None:
        """Adds files of this request to the library, and indexes them before it returns.

        A refused file does not affect the others. The same bytes twice are one image.
        """
        upload = info.context.authorize(Scope.WRITE).upload
        results, user_errors = await _separate(
            upload(input.files, tags=none_if_unset(input.tags) or ()),
            count=len(input.files),
            field="files",
        )
        return UploadImagesPayload(
            results=[UploadedImage.of(each) if each else None for each in results],
            user_errors=user_errors,
        )

    @strawberry.mutation
    async def create_upload_targets(
        self,
        info: Info,
        input: CreateUploadTargetsInput,  # noqa: A002 - Relay's name
    ) -> CreateUploadTargetsPayload | None:
        """Returns signed forms to which the client uploads files directly, outside of GraphQL.

        A target is valid for an hour. Call `completeUploads` after the files were sent.
        """
        create = info.context.authorize(Scope.WRITE).create_upload_targets
        files = [
            AnnouncedFile(
                file.filename, file.content_type, file.byte_size, none_if_unset(file.sha256)
            )
            for file in input.files
        ]
        offers, user_errors = await _separate(create(files), count=len(files), field="files")
        base_url = info.context.base_url
        return CreateUploadTargetsPayload(
            targets=[UploadTarget.of(each, base_url=base_url) if each else None for each in offers],
            user_errors=user_errors,
        )

    @strawberry.mutation
    async def complete_uploads(
        self,
        info: Info,
        input: CompleteUploadsInput,  # noqa: A002 - Relay's name
    ) -> CompleteUploadsPayload | None:
        """Adds the files that were sent to upload targets to the library.

        New images are PROCESSING until a worker has indexed them. The mutation is idempotent.
        """
        complete = info.context.authorize(Scope.WRITE).complete_uploads
        ids = [_target_uuid(id_) for id_ in input.target_ids]

        async def outcomes() -> list[uploads.UploadedImage | Refusal]:
            valid = [id_ for id_ in ids if isinstance(id_, UUID)]
            completed = iter(await complete(valid, tags=none_if_unset(input.tags) or ()))
            return [next(completed) if isinstance(id_, UUID) else id_ for id_ in ids]

        results, user_errors = await _separate(outcomes(), count=len(ids), field="targetIds")
        return CompleteUploadsPayload(
            results=[UploadedImage.of(each) if each else None for each in results],
            user_errors=user_errors,
        )


async def _separate(
    work: Awaitable[Sequence[T | Refusal]], *, count: int, field: str
) -> tuple[list[T | None], list[UploadUserError]]:
    """Return the results, None for a refused file, and the refusals as user errors.

    A refusal of the whole batch is the error of the list itself.
    """
    try:
        outcomes = await work
    except Refusal as refusal:
        return [None] * count, [UploadUserError.of(refusal, field=("input", field))]
    user_errors = [
        UploadUserError.of(outcome, field=("input", field, str(index)))
        for index, outcome in enumerate(outcomes)
        if isinstance(outcome, Refusal)
    ]
    results = [None if isinstance(outcome, Refusal) else outcome for outcome in outcomes]
    return results, user_errors


def _target_uuid(id_: str) -> UUID | TargetNotFound:
    try:
        return uuid_of(id_, location=("target_ids",), kind=UPLOAD_TARGET)
    except InvalidArgument:
        return TargetNotFound(
            f"“{id_:.80}” is not the id of an upload target; send an id that "
            "`createUploadTargets` returned."
        )


def _url_of(form: UploadForm, base_url: str) -> URL:
    return URL(base_url + form.url if form.url.startswith("/") else form.url)
