"""Claims the storage for the library, so that no two libraries share their files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from domain.entities.claims import StorageClaim
from domain.entities.filters import DELETED, EVERYTHING
from domain.entities.images import Variant
from domain.entities.listing import Sort, Window
from domain.errors import BytesMissing, Misconfigured, Remedy

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Catalog, Clock, LibraryIdentity, Storage, StorageClaims

IMAGES_PER_END = 10
"""How many of the oldest and of the newest images are looked for in a storage without a marker."""


@dataclass(frozen=True, slots=True)
class ClaimStorage:
    """Returns the claim of this library on the storage, and makes it if the storage has no claim.

    A storage without a marker is claimed where database and storage fit each other: both are empty,
    as those of a new library, or the storage has files of the database's images, as that of a
    library which was made before there were markers.
    """

    identity: LibraryIdentity
    claims: StorageClaims
    catalog: Catalog
    storage: Storage
    clock: Clock

    async def __call__(self, *, force: bool = False) -> StorageClaim:
        """Return the claim. ``force`` takes the storage over, whatever it has.

        Raises Misconfigured where another library has claimed the storage, and where the storage
        has no marker and does not fit the database.
        """
        library_id = await self.identity.library_id()
        if force:
            claim = await self._new_claim(library_id)
            await self.claims.replace_claim(claim)
            return claim
        claim = await self.claims.read_claim() or await self._first_claim(library_id)
        if claim.library_id != library_id:
            raise Misconfigured(
                f"The files in {self.claims.place} belong to another library, {claim.library_id}; "
                f"this database is the library {library_id}."
            ).with_remedy(Remedy.CLAIM_STORAGE)
        return claim

    async def _first_claim(self, library_id: UUID) -> StorageClaim:
        claim = await self._new_claim(library_id)
        await self._check_fit(has_files=claim.unknown_before is not None)
        return await self.claims.add_claim(claim)

    async def _new_claim(self, library_id: UUID) -> StorageClaim:
        has_files = await anext(aiter(self.storage.list()), None) is not None
        return StorageClaim(library_id, self.clock() if has_files else None)

    async def _check_fit(self, *, has_files: bool) -> None:
        images: set[UUID] = set()
        for criteria, from_end in product((EVERYTHING, DELETED), (False, True)):
            window = Window(IMAGES_PER_END, from_end=from_end)
            page = await self.catalog.list(criteria, Sort(), window)
            images.update(image.id for image in page.images)
        for image_id in images:
            if await self._has_files(image_id):
                return
        if images:
            raise Misconfigured(
                f"{self.claims.place} has no files of this library's images."
            ).with_remedy(Remedy.CLAIM_STORAGE)
        if has_files:
            raise Misconfigured(
                f"There are files in {self.claims.place}, and this library has no images."
            ).with_remedy(Remedy.CLAIM_STORAGE)

    async def _has_files(self, image_id: UUID) -> bool:
        for variant in Variant:
            try:
                await (await self.storage.open(variant.key_of(image_id))).chunks.aclose()
            except BytesMissing:
                continue
            return True
        return False
