"""The identity of external objects: the same bytes, or else the same pixels, are the same image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text, update
from sqlmodel import col

from domain.entities.images import REPLACEABLE, ImageStatus, Source
from infra.postgres.catalog.trash import move_out
from infra.postgres.images import FILE_FACTS, ImageRow, image_row

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.entities.images import Image
    from domain.entities.work import FoundObject

FACTS_OF_ANOTHER_FILE = FILE_FACTS - {"status"} | {
    *("sha256", "byte_size", "filename", "source", "source_version")
}

LOCK_OBJECT = text("SELECT id FROM objects WHERE id = :id AND version = :version FOR UPDATE")
# An image that is in the trash as missing is known as one of the library is: it comes back with a
# file. Where a user deleted an image, it stays in the trash.
LOCK_IMAGE_BY_DIGEST = text("""
    SELECT id, status, deleted_at IS NOT NULL AND NOT is_missing AS is_deleted
    FROM images WHERE sha256 = :sha256 FOR NO KEY UPDATE
""")
IS_KNOWN = text(f"""
    SELECT EXISTS (
        SELECT FROM images WHERE sha256 = :sha256
        AND (status <> '{ImageStatus.FAILED.value}' OR deleted_at IS NOT NULL AND NOT is_missing)
    ) OR EXISTS (SELECT FROM objects WHERE image_id IS NULL AND sha256 = :sha256)
""")  # noqa: S608 - a constant
IS_DELETED = text("SELECT EXISTS (SELECT FROM objects WHERE image_id IS NULL AND sha256 = :sha256)")
# The pixels of a deleted image are those of a file that is gone, or of no image that is kept.
ARE_NOT_KEPT = """
    (missing_since IS NOT NULL OR NOT EXISTS (
        SELECT FROM images
        WHERE images.pixel_sha256 = :pixel_sha256
        AND (images.deleted_at IS NULL OR images.is_missing)
    ))
"""
# Images in the trash keep their objects. Others leave objects with digests and without an image.
HAS_DELETED_PIXELS = text(f"""
    SELECT EXISTS (
        SELECT FROM objects
        WHERE image_id IS NULL AND pixel_sha256 = :pixel_sha256 AND {ARE_NOT_KEPT}
    ) OR EXISTS (
        SELECT FROM images AS deleted JOIN objects ON image_id = deleted.id
        WHERE deleted.pixel_sha256 = :pixel_sha256 AND deleted.deleted_at IS NOT NULL
        AND NOT deleted.is_missing AND {ARE_NOT_KEPT}
    )
""")  # noqa: S608 - a constant
ARE_ALL_MISSING = """
    EXISTS (SELECT FROM objects WHERE image_id = images.id)
    AND NOT EXISTS (SELECT FROM objects WHERE image_id = images.id AND missing_since IS NULL)
"""
IS_PREDECESSOR = """
    pixel_sha256 = :pixel_sha256 AND status = 'ready' AND (deleted_at IS NULL OR is_missing)
    AND source IS NOT NULL
"""
# The image of the file that was rewritten in place comes first.
SELECT_PREDECESSORS = text(f"""
    SELECT id FROM images
    WHERE {IS_PREDECESSOR} AND {ARE_ALL_MISSING} ORDER BY source <> :location, id
""")  # noqa: S608 - constants
# A user may have uploaded its bytes, or deleted it, meanwhile. FOR NO KEY UPDATE checks the
# conditions again once it has waited for such a change.
LOCK_PREDECESSOR = text(f"""
    SELECT id FROM images WHERE id = :id AND {IS_PREDECESSOR} FOR NO KEY UPDATE
""")  # noqa: S608 - a constant
HAS_NO_FILE = text(f"SELECT EXISTS (SELECT FROM images WHERE id = :id AND {ARE_ALL_MISSING})")  # noqa: S608
ADD_TAGS = text("""
    UPDATE images SET tags = ARRAY(
        SELECT DISTINCT tag COLLATE "C" FROM unnest(tags || CAST(:tags AS text[])) AS tag ORDER BY 1
    ) WHERE id = :id AND NOT tags @> CAST(:tags AS text[])
""")
POINT_OBJECTS_TO_IMAGE = text("""
    UPDATE objects SET image_id = images.id, error = NULL,
        sha256 = images.sha256, pixel_sha256 = images.pixel_sha256
    FROM images WHERE images.id = :image_id AND objects.id = ANY(CAST(:ids AS uuid[]))
""")
# Without their digests, so that they are not taken for those of an image that a user deleted.
DETACH_OBJECTS = text("""
    UPDATE objects SET image_id = NULL, sha256 = NULL, pixel_sha256 = NULL
    WHERE image_id = :id RETURNING id
""")
DELETE_IMAGE = text("DELETE FROM images WHERE id = :id")
MARK_AS_DELETED = text("""
    UPDATE objects SET sha256 = :sha256, pixel_sha256 = coalesce(:pixel_sha256, (
        SELECT other.pixel_sha256 FROM objects AS other
        WHERE other.image_id IS NULL AND other.sha256 = :sha256 LIMIT 1
    )) WHERE id = ANY(CAST(:ids AS uuid[]))
""")
# One object is enough to remember that these bytes were deleted.
DROP_MISSING_DELETED = text("""
    DELETE FROM objects WHERE image_id IS NULL AND missing_since IS NOT NULL AND sha256 = :sha256
""")
DROP_MISSING = text("""
    DELETE FROM objects WHERE image_id = ANY(CAST(:ids AS uuid[])) AND missing_since IS NOT NULL
    AND EXISTS (
        SELECT FROM objects AS present
        WHERE present.image_id = objects.image_id AND present.missing_since IS NULL
    )
""")
SELECT_MOVED_SOURCES = text("""
    SELECT DISTINCT ON (image_id) image_id, location, version
    FROM objects JOIN images ON images.id = image_id
    WHERE image_id = ANY(CAST(:ids AS uuid[])) AND missing_since IS NULL AND source IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM objects AS present
        WHERE present.image_id = images.id AND present.missing_since IS NULL
        AND present.location = source AND present.version = source_version
    )
    ORDER BY image_id, location
""")
MOVE_SOURCES = text("""
    UPDATE images SET source = moved.location, source_version = moved.version,
        filename = moved.filename
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:locations AS text[]), CAST(:versions AS text[]),
        CAST(:filenames AS text[])
    ) AS moved (id, location, version, filename)
    WHERE images.id = moved.id
""")
SELECT_RETURNED = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND is_missing AND EXISTS (
        SELECT FROM objects WHERE image_id = images.id AND missing_since IS NULL
    )
""")


async def settle_sources(connection: AsyncConnection, image_ids: Collection[UUID]) -> None:
    """Drop the missing objects of images that have others, and let the sources follow.

    Images that were in the trash as missing come back. The caller has locked the images.
    """
    if not image_ids:
        return
    ids = {"ids": list(image_ids)}
    await connection.execute(DROP_MISSING, ids)
    moved = (await connection.execute(SELECT_MOVED_SOURCES, ids)).all()
    if moved:
        values = {
            "ids": [row.image_id for row in moved],
            "locations": [row.location for row in moved],
            "versions": [row.version for row in moved],
            "filenames": [Source(row.location, row.version).name for row in moved],
        }
        await connection.execute(MOVE_SOURCES, values)
    if returned := (await connection.scalars(SELECT_RETURNED, ids)).all():
        await move_out(connection, returned)


async def delete_image(connection: AsyncConnection, image_id: UUID) -> Sequence[UUID]:
    """Delete an image whose objects become those of another one, and return the objects."""
    values = {"id": image_id}
    object_ids = (await connection.scalars(DETACH_OBJECTS, values)).all()
    await connection.execute(DELETE_IMAGE, values)
    return object_ids


async def point_to(connection: AsyncConnection, image_id: UUID, object_ids: Sequence[UUID]) -> None:
    """Make objects files of an image."""
    values = {"image_id": image_id, "ids": list(object_ids)}
    await connection.execute(POINT_OBJECTS_TO_IMAGE, values)


async def take_file(
    connection: AsyncConnection, image_id: UUID, other: Image, object_ids: Sequence[UUID]
) -> None:
    """Give an image the file of another one with the same pixels, whose row does not exist."""
    facts = image_row(other).model_dump(include={*FACTS_OF_ANOTHER_FILE})
    await connection.execute(update(ImageRow).where(col(ImageRow.id) == image_id).values(facts))
    await point_to(connection, image_id, object_ids)
    if other.tags:
        await connection.execute(ADD_TAGS, {"id": image_id, "tags": list(other.tags)})
    await settle_sources(connection, [image_id])


@dataclass(frozen=True, slots=True)
class Identity:
    """Recognises the bytes or pixels of an object whose row the transaction has locked."""

    connection: AsyncConnection
    found: FoundObject

    async def lock(self) -> bool:
        """Lock the object, and return whether it still has the version that was read."""
        values = {"id": self.found.id, "version": self.found.source.version}
        return await self.connection.scalar(LOCK_OBJECT, values) is not None

    async def recognise_bytes(
        self, sha256: str, tags: tuple[str, ...], *, also: Sequence[UUID] = ()
    ) -> bool:
        """Point the object to the image with these bytes, or to none where a user deleted it.

        ``also`` names other objects with these bytes, which follow it.
        Returns False for new bytes, and for those of an image that is to be replaced.
        """
        digest = {"sha256": sha256}
        same = (await self.connection.execute(LOCK_IMAGE_BY_DIGEST, digest)).first()
        if same is not None and (same.is_deleted or same.status not in REPLACEABLE):
            if tags:
                await self.connection.execute(ADD_TAGS, {"id": same.id, "tags": list(tags)})
            await point_to(self.connection, same.id, [self.found.id, *also])
            await settle_sources(self.connection, [same.id])
            return True
        if same is None and await self.connection.scalar(IS_DELETED, digest):
            await self._keep_deleted([self.found.id, *also], sha256, None)
            return True
        return False

    async def recognise_pixels(self, image: Image, *, also: Sequence[UUID] = ()) -> bool:
        """Make the object the file of an image with the same pixels whose files are all missing.

        The image gets the facts of the file. Also returns True for pixels of a deleted image.
        ``also`` names other objects with the bytes of the file, which follow it.
        """
        if image.pixel_sha256 is None:
            return False
        object_ids = [self.found.id, *also]
        pixels = {"pixel_sha256": image.pixel_sha256}
        place = {"location": self.found.source.location}
        for image_id in await self.connection.scalars(SELECT_PREDECESSORS, pixels | place):
            locked = await self.connection.scalar(LOCK_PREDECESSOR, pixels | {"id": image_id})
            # Another worker may have found the file of this image meanwhile.
            if locked and await self.connection.scalar(HAS_NO_FILE, {"id": image_id}):
                await take_file(self.connection, image_id, image, object_ids)
                return True
        if await self.connection.scalar(HAS_DELETED_PIXELS, pixels):
            await self._keep_deleted(object_ids, image.sha256, image.pixel_sha256)
            return True
        return False

    async def _keep_deleted(
        self, object_ids: Sequence[UUID], sha256: str, pixel_sha256: str | None
    ) -> None:
        digests = {"sha256": sha256, "pixel_sha256": pixel_sha256}
        await self.connection.execute(MARK_AS_DELETED, {"ids": object_ids} | digests)
        await self.connection.execute(DROP_MISSING_DELETED, digests)
