"""Changes to images: updates, tags, deletion and restoration."""

from collections.abc import Awaitable, Callable, Container, Sequence
from uuid import UUID

import strawberry

from domain.entities import images
from domain.entities.keys import Scope
from domain.errors import ImageNotFound, Refusal
from graph.schema.context import Info
from graph.schema.ids import uuid_of, uuids_of
from graph.schema.image import UpdateImageInput
from graph.schema.search_results import Image
from graph.schema.user_errors import ImageUserError


@strawberry.type
class UpdateImagePayload:
    """The updated image; null when the update was refused."""

    image: Image | None
    """The image with its new values; null when the update was refused."""
    user_errors: list[ImageUserError]
    """Why the update was refused. Empty when it was not."""


@strawberry.input
class TagImagesInput:
    """Images and tags, at most 1,000 images at once."""

    image_ids: list[strawberry.ID]
    """The ids of the images, at most 1,000."""
    tags: list[str]
    """At most 50 tags of 64 characters. An image can have 200."""


@strawberry.type
class TagImagesPayload:
    """The images with their new tags. Images that do not exist are user errors."""

    images: list[Image]
    """The images that exist, with their new tags, in the order of the input."""
    user_errors: list[ImageUserError]
    """The images that do not exist, or why nothing was changed."""


@strawberry.input
class DeleteImagesInput:
    """The images to delete, at most 1,000 at once."""

    ids: list[strawberry.ID]
    """The ids of the images, at most 1,000."""


@strawberry.type
class DeleteImagesPayload:
    """The ids of the deleted images. Images that do not exist are user errors."""

    deleted_image_ids: list[strawberry.ID]
    """The ids of the images that this call deleted."""
    user_errors: list[ImageUserError]
    """The images that do not exist, or why nothing was deleted."""


@strawberry.input
class RestoreImagesInput:
    """The deleted images to restore, at most 1,000 at once."""

    ids: list[strawberry.ID]
    """The ids of the images, at most 1,000."""


@strawberry.type
class RestoreImagesPayload:
    """The restored images. Images that are not in the trash are user errors."""

    images: list[Image]
    """The restored images, in the order of the input."""
    user_errors: list[ImageUserError]
    """The images that are not in the trash, or why nothing was restored."""


@strawberry.type
class EditMutation:
    """The mutations that change or delete images."""

    @strawberry.mutation
    async def update_image(
        self,
        info: Info,
        input: UpdateImageInput,  # noqa: A002 - Relay's name
    ) -> UpdateImagePayload | None:
        """Updates the fields of an image that people edit. Omitted fields keep their values.

        Where a value is not valid, nothing is changed.
        """
        update = info.context.authorize(Scope.WRITE).update
        try:
            image = await update(uuid_of(input.id, location=("id",)), input.changes())
        except Refusal as refusal:
            error = ImageUserError.of(refusal, field=("input", "id"))
            return UpdateImagePayload(image=None, user_errors=[error])
        return UpdateImagePayload(image=Image.of(image), user_errors=[])

    @strawberry.mutation
    async def tag_images(
        self,
        info: Info,
        input: TagImagesInput,  # noqa: A002 - Relay's name
    ) -> TagImagesPayload | None:
        """Adds tags to images, and keeps those that they have. The mutation is idempotent.

        Images that do not exist are user errors, and the others are changed. Where an image would
        have more than 200 tags, nothing is changed.
        """
        return await _change_tags(info.context.authorize(Scope.WRITE).tag, input)

    @strawberry.mutation
    async def untag_images(
        self,
        info: Info,
        input: TagImagesInput,  # noqa: A002 - Relay's name
    ) -> TagImagesPayload | None:
        """Removes tags from images. The mutation is idempotent.

        Images that do not exist are user errors, and the others are changed. Tags that an image
        does not have are ignored.
        """
        return await _change_tags(info.context.authorize(Scope.WRITE).untag, input)

    @strawberry.mutation
    async def delete_images(
        self,
        info: Info,
        input: DeleteImagesInput,  # noqa: A002 - Relay's name
    ) -> DeleteImagesPayload | None:
        """Deletes images. `restoreImages` restores them for `Service.trashDays` days.

        Where that is 0, they are deleted for good with their files and embeddings.
        """
        delete = info.context.authorize(Scope.WRITE).delete
        try:
            ids = uuids_of(input.ids, location=("ids",))
            deleted = await delete(ids)
        except Refusal as refusal:
            error = ImageUserError.of(refusal, field=("input", "ids"))
            return DeleteImagesPayload(deleted_image_ids=[], user_errors=[error])
        sent = dict(zip(ids, input.ids, strict=True))
        return DeleteImagesPayload(
            deleted_image_ids=[id_ for uuid, id_ in sent.items() if uuid in deleted],
            user_errors=_not_found(ids, deleted, sent=input.ids, field="ids"),
        )

    @strawberry.mutation
    async def restore_images(
        self,
        info: Info,
        input: RestoreImagesInput,  # noqa: A002 - Relay's name
    ) -> RestoreImagesPayload | None:
        """Restores deleted images from the trash, with their ids, tags and texts.

        Images that are not in the trash are user errors, and the others are restored.
        """
        restore = info.context.authorize(Scope.WRITE).restore
        try:
            ids = uuids_of(input.ids, location=("ids",))
            restored = await restore(ids)
        except Refusal as refusal:
            error = ImageUserError.of(refusal, field=("input", "ids"))
            return RestoreImagesPayload(images=[], user_errors=[error])
        return RestoreImagesPayload(
            images=[Image.of(restored[uuid]) for uuid in dict.fromkeys(ids) if uuid in restored],
            user_errors=_not_found(
                ids,
                restored,
                sent=input.ids,
                field="ids",
                reason="it may have been restored already, or deleted for good.",
                place=" in the trash",
            ),
        )


async def _change_tags(
    change: Callable[[Sequence[UUID], Sequence[str]], Awaitable[dict[UUID, images.Image]]],
    wanted: TagImagesInput,
) -> TagImagesPayload:
    try:
        ids = uuids_of(wanted.image_ids, location=("image_ids",))
        changed = await change(ids, wanted.tags)
    except Refusal as refusal:
        error = ImageUserError.of(refusal, field=("input", "imageIds"))
        return TagImagesPayload(images=[], user_errors=[error])
    return TagImagesPayload(
        images=[Image.of(changed[uuid]) for uuid in dict.fromkeys(ids) if uuid in changed],
        user_errors=_not_found(ids, changed, sent=wanted.image_ids, field="imageIds"),
    )


def _not_found(  # noqa: PLR0913 - the parts of a sentence
    ids: Sequence[UUID],
    found: Container[UUID],
    *,
    sent: Sequence[str],
    field: str,
    place: str = "",
    reason: str = "it may have been deleted.",
) -> list[ImageUserError]:
    """Return a user error for each id without an image; ``sent`` are the global ids."""
    return [
        ImageUserError.of(
            ImageNotFound(f"There is no image {sent[index]}{place}; {reason}"),
            field=("input", field, str(index)),
        )
        for index, uuid in enumerate(ids)
        if uuid not in found
    ]
