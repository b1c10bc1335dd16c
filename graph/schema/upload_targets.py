"""Files that clients send past the API: where they go, and what becomes of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from domain import UseCases
from domain.entities import upload_targets, uploads
from domain.entities.upload_targets import AnnouncedFile, OfferedTarget
from domain.errors import InvalidArgument, Refusal, TargetNotFound
from graph.schema.connections import Image
from graph.schema.fields import given
from graph.schema.ids import UPLOAD_TARGET, global_id, uuid_of
from graph.schema.payloads import UploadedImage, UploadUserError
from graph.schema.scalars import URL


@strawberry.input
class UploadTargetInput:
    """What is said of a file before it is sent."""

    filename: str
    content_type: str
    byte_size: int
    sha256: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Hex; lets a known picture be answered before a byte is sent.",
    )


@strawberry.input
class CreateUploadTargetsInput:
    """The files that are to be sent."""

    files: list[UploadTargetInput]


@strawberry.type
class UploadTargetField:
    """A field of the form that carries a file."""

    name: str
    value: str


@strawberry.type
class UploadTarget:
    """Where one file goes."""

    id: strawberry.ID
    existing: Image | None = strawberry.field(
        description="The image, when its bytes are here already: nothing needs to be sent."
    )
    url: URL | None = strawberry.field(
        description="POST multipart/form-data here: every field in order, then the bytes as `file`."
    )
    fields: list[UploadTargetField]
    expires_at: datetime

    @classmethod
    def of(cls, offered: OfferedTarget, *, base_url: str) -> "UploadTarget":
        """Return a target as the API shows it; ``base_url`` is where this server is reached."""
        slot, existing = offered.slot, offered.existing
        return cls(
            id=global_id(offered.target.id, UPLOAD_TARGET),
            existing=Image.of(existing) if existing else None,
            url=_address(slot, base_url) if slot else None,
            fields=[
                UploadTargetField(name=name, value=value)
                for name, value in (slot.fields if slot else ())
            ],
            expires_at=offered.target.expires_at,
        )


@strawberry.type
class CreateUploadTargetsPayload:
    """Where the files go."""

    targets: list[UploadTarget | None]
    user_errors: list[UploadUserError]


@strawberry.input
class CompleteUploadsInput:
    """Targets whose files were sent, and tags for all of them."""

    target_ids: list[strawberry.ID]
    tags: list[str] | None = strawberry.UNSET


@strawberry.type
class CompleteUploadsPayload:
    """What became of the files."""

    results: list[UploadedImage | None]
    user_errors: list[UploadUserError]


async def targets_for(
    use_cases: UseCases, wanted: CreateUploadTargetsInput, *, base_url: str
) -> CreateUploadTargetsPayload:
    """Make a target for each file."""
    files = [
        AnnouncedFile(file.filename, file.content_type, file.byte_size, given(file.sha256))
        for file in wanted.files
    ]
    outcomes: Sequence[OfferedTarget | Refusal | None]
    try:
        outcomes = await use_cases.create_upload_targets(files)
        wrong = _refused(outcomes, "files")
    except Refusal as refusal:
        outcomes = [None] * len(files)
        wrong = [UploadUserError.of(refusal, field=("input", "files"))]
    targets = [
        UploadTarget.of(one, base_url=base_url) if isinstance(one, OfferedTarget) else None
        for one in outcomes
    ]
    return CreateUploadTargetsPayload(targets=targets, user_errors=wrong)


async def completed(use_cases: UseCases, wanted: CompleteUploadsInput) -> CompleteUploadsPayload:
    """Take in what was sent to the targets."""
    named = [_target_id(id_) for id_ in wanted.target_ids]
    known = [one for one in named if not isinstance(one, Refusal)]
    outcomes: Sequence[uploads.UploadedImage | Refusal | None]
    try:
        done = iter(await use_cases.complete_uploads(known, tags=given(wanted.tags) or ()))
        outcomes = [one if isinstance(one, Refusal) else next(done) for one in named]
        wrong = _refused(outcomes, "targetIds")
    except Refusal as refusal:
        outcomes = [None] * len(named)
        wrong = [UploadUserError.of(refusal, field=("input", "targetIds"))]
    results = [
        UploadedImage.of(one) if isinstance(one, uploads.UploadedImage) else None
        for one in outcomes
    ]
    return CompleteUploadsPayload(results=results, user_errors=wrong)


def _target_id(id_: str) -> UUID | Refusal:
    try:
        return uuid_of(id_, location=("target_ids",), kind=UPLOAD_TARGET)
    except InvalidArgument:
        return TargetNotFound(
            f"“{id_:.80}” is no id of an upload target; send one that `createUploadTargets` gave."
        )


def _refused(outcomes: Sequence[object], name: str) -> list[UploadUserError]:
    return [
        UploadUserError.of(outcome, field=("input", name, str(place)))
        for place, outcome in enumerate(outcomes)
        if isinstance(outcome, Refusal)
    ]


def _address(slot: upload_targets.UploadForm, base_url: str) -> URL:
    return URL(base_url + slot.url if slot.url.startswith("/") else slot.url)
