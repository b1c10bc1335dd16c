"""A place outside of the library, and imports of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.use_cases.imports.summary import ImportSummary
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.places import MemoryObjectListing

ROOT = "s3://photos/"


def picture(number: int) -> bytes:
    return picture_file(words=str(number))


class Import:
    """Imports below ROOT, and what has become of it."""

    def __init__(self, use_cases: UseCases, catalog: MemoryCatalog) -> None:
        self.use_cases = use_cases
        self.catalog = catalog

    async def __call__(self, **options: bool) -> ImportSummary:
        stock = await self.use_cases.reconcile(ROOT, **options)  # type: ignore[arg-type]  # tags are no option here
        await self.index()
        return stock

    async def index(self) -> None:
        async for _ in self.use_cases.index():
            pass

    async def images(self) -> dict[str, Image]:
        """The images of the library by the name of their source."""
        images = self.catalog._images.values()  # noqa: SLF001 - all of them, whatever they are
        return {image.source.location if image.source else "": image for image in images}

    async def names(self) -> set[str]:
        return {location.removeprefix(ROOT) for location in await self.images()}


def put(places: MemoryObjectListing, *numbers: int, version: str = "1") -> None:
    for number in numbers:
        places.put(f"{ROOT}{number}", picture(number), version=version)
