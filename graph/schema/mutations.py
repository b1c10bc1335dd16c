"""What can be changed. A batch may succeed in part: what was refused stands in ``userErrors``."""

from collections.abc import Awaitable, Callable, Container, Sequence
from uuid import UUID

import strawberry

from domain.entities import images
from domain.entities.keys import Scope
from domain.entities.uploads import UploadedImage
from domain.errors import ImageNotFound, Refusal
from graph.schema import payloads
from graph.schema.connections import Image
from graph.schema.context import Info
from graph.schema.fields import given
from graph.schema.ids import uuid_of, uuids_of
from graph.schema.image import UpdateImageInput
from graph.schema.payloads import (
    DeleteImagesInput,
    DeleteImagesPayload,
    ImageUserError,
    TagImagesInput,
    TagImagesPayload,
    UpdateImagePayload,
    UploadImagesInput,
    UploadImagesPayload,
    UploadUserError,
)
from graph.schema.upload_targets import (
    CompleteUploadsInput,
    CompleteUploadsPayload,
    CreateUploadTargetsInput,
    CreateUploadTargetsPayload,
    completed,
    targets_for,
)


@strawberry.type
class Mutation:
    """The changes. Each needs a key with the scope WRITE."""

    @strawberry.mutation
    async def upload_images(
        self,
        info: Info,
        input: UploadImagesInput,  # noqa: A002 - Relay's name
    ) -> UploadImagesPayload | None:
        """Take pictures in."""
        use_cases = info.context.may(Scope.WRITE)
        outcomes: Sequence[UploadedImage | Refusal | None]
        try:
            outcomes = await use_cases.upload(input.files, tags=given(input.tags) or ())
            wrong = [
                UploadUserError.of(outcome, field=("input", "files", str(place)))
                for place, outcome in enumerate(outcomes)
                if isinstance(outcome, Refusal)
            ]
        except Refusal as refusal:
            outcomes = [None] * len(input.files)
            wrong = [UploadUserError.of(refusal, field=("input", "files"))]
        results = [
            payloads.UploadedImage.of(outcome) if isinstance(outcome, UploadedImage) else None
            for outcome in outcomes
        ]
        return UploadImagesPayload(results=results, user_errors=wrong)

    @strawberry.mutation
    async def create_upload_targets(
        self,
        info: Info,
        input: CreateUploadTargetsInput,  # noqa: A002 - Relay's name
    ) -> CreateUploadTargetsPayload | None:
        """Say where files go that clients send past the API."""
        use_cases = info.context.may(Scope.WRITE)
        return await targets_for(use_cases, input, base_url=info.context.base_url)

    @strawberry.mutation
    async def complete_uploads(
        self,
        info: Info,
        input: CompleteUploadsInput,  # noqa: A002 - Relay's name
    ) -> CompleteUploadsPayload | None:
        """Take in the files that were sent to targets."""
        return await completed(info.context.may(Scope.WRITE), input)

    @strawberry.mutation
    async def update_image(
        self,
        info: Info,
        input: UpdateImageInput,  # noqa: A002 - Relay's name
    ) -> UpdateImagePayload | None:
        """Change what is said about an image."""
        use_cases = info.context.may(Scope.WRITE)
        try:
            image_id = uuid_of(input.id, location=("id",))
            image = await use_cases.update(image_id, input.changes())
        except Refusal as refusal:
            wrong = ImageUserError.of(refusal, field=("input", "id"))
            return UpdateImagePayload(image=None, user_errors=[wrong])
        return UpdateImagePayload(image=Image.of(image), user_errors=[])

    @strawberry.mutation
    async def tag_images(
        self,
        info: Info,
        input: TagImagesInput,  # noqa: A002 - Relay's name
    ) -> TagImagesPayload | None:
        """Put tags on images."""
        return await _retag(info.context.may(Scope.WRITE).tag, input)

    @strawberry.mutation
    async def untag_images(
        self,
        info: Info,
        input: TagImagesInput,  # noqa: A002 - Relay's name
    ) -> TagImagesPayload | None:
        """Take tags off images."""
        return await _retag(info.context.may(Scope.WRITE).untag, input)

    @strawberry.mutation
    async def delete_images(
        self,
        info: Info,
        input: DeleteImagesInput,  # noqa: A002 - Relay's name
    ) -> DeleteImagesPayload | None:
        """Delete images with all that was made of them."""
        use_cases = info.context.may(Scope.WRITE)
        try:
            ids = uuids_of(input.ids, location=("ids",))
            gone = await use_cases.delete(ids)
        except Refusal as refusal:
            wrong = ImageUserError.of(refusal, field=("input", "ids"))
            return DeleteImagesPayload(deleted_image_ids=[], user_errors=[wrong])
        named = dict(zip(ids, input.ids, strict=True))
        return DeleteImagesPayload(
            deleted_image_ids=[id_ for image_id, id_ in named.items() if image_id in gone],
            user_errors=_missing(ids, gone, given_ids=input.ids, field="ids"),
        )


async def _retag(
    change: Callable[[Sequence[UUID], Sequence[str]], Awaitable[dict[UUID, images.Image]]],
    wanted: TagImagesInput,
) -> TagImagesPayload:
    try:
        ids = uuids_of(wanted.image_ids, location=("image_ids",))
        here = await change(ids, wanted.tags)
    except Refusal as refusal:
        wrong = ImageUserError.of(refusal, field=("input", "imageIds"))
        return TagImagesPayload(images=[], user_errors=[wrong])
    return TagImagesPayload(
        images=[Image.of(here[image_id]) for image_id in dict.fromkeys(ids) if image_id in here],
        user_errors=_missing(ids, here, given_ids=wanted.image_ids, field="imageIds"),
    )


def _missing(
    ids: Sequence[UUID], here: Container[UUID], *, given_ids: Sequence[str], field: str
) -> list[ImageUserError]:
    return [
        ImageUserError.of(_not_found(given_ids[place]), field=("input", field, str(place)))
        for place, image_id in enumerate(ids)
        if image_id not in here
    ]


def _not_found(given_id: str) -> ImageNotFound:
    return ImageNotFound(f"There is no image {given_id}; it may have been deleted.")
