"""Imports of a root outside the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.entities.external_objects import ImportCounts
from domain.use_cases.imports.forget_missing import MissingReport
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.use_cases.imports.summary import ImportSummary
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.object_listing import MemoryObjectListing

ROOT = "s3://photos/"


def picture(number: int) -> bytes:
    return picture_file((number, 0, 1))


def rewritten(number: int) -> bytes:
    """Return a picture with other metadata and the same pixels."""
    return picture_file((number, 0, 1), words="rated")


class Importer:
    """Imports ROOT, indexes it, ends the import, and returns the images."""

    def __init__(self, use_cases: UseCases, catalog: MemoryCatalog) -> None:
        self.use_cases = use_cases
        self.catalog = catalog
        self.missing = MissingReport()
        self.became = ImportCounts()

    async def __call__(self, **options: bool) -> ImportSummary:
        summary = await self.use_cases.reconcile(ROOT, **options)  # type: ignore[arg-type]  # without tags
        await self.index()
        self.missing = await self.use_cases.forget_missing(summary)
        self.became = await self.use_cases.forget_missing.count(summary)
        return summary

    async def index(self) -> None:
        async for _ in self.use_cases.index():
            pass

    async def images(self) -> dict[str, Image]:
        """Return the images by the location of their source."""
        images = self.catalog._images.values()  # noqa: SLF001 - no port lists images of every status unpaged
        return {image.source.location if image.source else "": image for image in images}

    async def names(self) -> set[str]:
        return {location.removeprefix(ROOT) for location in await self.images()}

    def missing_names(self) -> set[str]:
        """Return the names of the images that are in the trash as missing."""
        images = [self.catalog.kept(image_id) for image_id in self.catalog.missing]
        return {each.source.location.removeprefix(ROOT) for each in images if each and each.source}


def put(object_listing: MemoryObjectListing, *numbers: int, version: str = "1") -> None:
    for number in numbers:
        object_listing.put(f"{ROOT}{number}", picture(number), version=version)
