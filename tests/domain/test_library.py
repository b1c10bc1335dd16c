"""Reading, listing, describing, editing and deleting images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.embeddings import EmbeddingModel
from domain.entities.filters import ImageFilter, SortField
from domain.entities.images import ImageChanges, ImageStatus, Variant, uuid7
from domain.entities.listing import Sort, Window, position_of
from domain.entities.storage import ByteRange
from domain.entities.uploads import UploadedImage
from domain.errors import ImageNotFound, ImageProcessing, InvalidArgument
from domain.use_cases.library.edit import DeleteImages
from tests.domain.conftest import LIMITS
from tests.fakes.clock import SettableClock
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file
from tests.fakes.interleaving import InterleavedCatalog, InterleavedStorage, Interleaving
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from domain import Limits, UseCases
    from domain.entities.images import Image
    from tests.fakes.storage import MemoryStorage

EVERYTHING = ImageFilter()
BY_NAME = Sort(SortField.FILENAME, descending=False)
DATA = picture_file(words="the sea")


@pytest.fixture
def limits() -> Limits:
    """Those of a server that deletes at once: the trash has tests of its own."""
    return replace(LIMITS, trash_lifetime=timedelta(0))


@pytest.fixture
async def image(use_cases: UseCases) -> Image:
    [outcome] = await use_cases.upload([upload(DATA, "sea.png")], tags=["sea"])
    assert isinstance(outcome, UploadedImage)
    return outcome.image


@pytest.mark.parametrize(
    ("byte_range", "data"),
    [(None, DATA), (ByteRange(0, 3), DATA[:4]), (ByteRange(-3), DATA[-3:])],
)
async def test_the_bytes_of_an_image_are_read_whole_or_in_part(
    use_cases: UseCases, image: Image, *, byte_range: ByteRange | None, data: bytes
) -> None:
    blob = await use_cases.read(image, Variant.ORIGINAL, byte_range=byte_range)
    assert len(DATA) == blob.size
    assert data == b"".join([chunk async for chunk in blob.chunks])


async def test_a_range_past_the_end_is_not_a_missing_image(
    use_cases: UseCases, image: Image
) -> None:
    with pytest.raises(ValueError, match="range contains none"):
        await use_cases.read(image, Variant.ORIGINAL, byte_range=ByteRange(len(DATA)))


@pytest.mark.parametrize("variant", Variant)
async def test_reading_an_image_that_was_just_deleted_raises_image_not_found(
    use_cases: UseCases, image: Image, variant: Variant
) -> None:
    await use_cases.delete([image.id])
    with pytest.raises(ImageNotFound) as refusal:
        await use_cases.read(image, variant)
    assert (
        f"The file of image {image.id} is missing; the image may have been deleted."
        == refusal.value.message
    )


@pytest.mark.parametrize("status", ImageStatus)
@pytest.mark.parametrize("variant", [Variant.LARGE, Variant.THUMBNAIL])
async def test_a_rendition_is_not_made_yet_only_while_the_image_is_processing(
    use_cases: UseCases, *, image: Image, status: ImageStatus, variant: Variant
) -> None:
    await use_cases.delete([image.id])
    is_processing = status is ImageStatus.PROCESSING
    with pytest.raises(ImageProcessing if is_processing else ImageNotFound):
        await use_cases.read(replace(image, status=status), variant)


async def test_only_existing_images_are_returned(use_cases: UseCases, image: Image) -> None:
    assert {image.id: image} == await use_cases.get([uuid7(), image.id, image.id])
    assert await use_cases.get([]) == {}


async def test_a_listing_can_be_paged_in_both_directions(
    use_cases: UseCases, by_colour: dict[str, Image]
) -> None:
    ordered = sorted(by_colour)
    window = Window(3)
    page = await use_cases.list(EVERYTHING, BY_NAME, window)
    assert ordered[:3] == [each.filename[:-4] for each in page.images]
    assert (page.has_previous, page.has_next) == (False, True)

    after = Window(3, after=position_of(page.images[-1], BY_NAME))
    page = await use_cases.list(EVERYTHING, BY_NAME, after)
    assert ordered[3:6] == [each.filename[:-4] for each in page.images]
    assert (page.has_previous, page.has_next) == (True, True)

    before = Window(2, before=position_of(page.images[0], BY_NAME), from_end=True)
    page = await use_cases.list(EVERYTHING, BY_NAME, before)
    assert ordered[1:3] == [each.filename[:-4] for each in page.images]


@pytest.mark.parametrize("size", [-1, 101])
@pytest.mark.parametrize(("from_end", "location"), [(False, ("first",)), (True, ("last",))])
async def test_a_page_size_out_of_range_is_refused_with_its_argument(
    use_cases: UseCases, size: int, *, from_end: bool, location: tuple[str]
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.list(EVERYTHING, Sort(), Window(size, from_end=from_end))
    assert location == refusal.value.location
    assert f"{location[0]} is {size}; it may be 0 to 100." == refusal.value.message


@pytest.mark.parametrize("size", [0, 100])
async def test_the_smallest_and_the_largest_page_size_are_accepted(
    use_cases: UseCases, image: Image, size: int
) -> None:
    page = await use_cases.list(EVERYTHING, Sort(), Window(size))
    assert (image,)[:size] == page.images


@pytest.mark.usefixtures("by_colour")
async def test_matching_images_are_counted(use_cases: UseCases) -> None:
    assert await use_cases.list.count(EVERYTHING) == 12
    assert await use_cases.list.count(ImageFilter(tags_any=("sea",))) == 2


@pytest.mark.usefixtures("image")
async def test_the_library_describes_itself(use_cases: UseCases) -> None:
    assert EmbeddingModel("fake", 16) == use_cases.describe.model
    assert await use_cases.describe.embedded_count() == 1
    assert use_cases.describe.accepted_content_types == ("image/png",)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" The sea \n at noon ", "The sea \n at noon"),
        ("x" * 2_000, "x" * 2_000),
        (" \n ", None),
        ("", None),
        (None, None),
    ],
)
async def test_an_alt_text_is_stored_trimmed_and_a_blank_one_removes_it(
    use_cases: UseCases, image: Image, *, given: str | None, kept: str | None
) -> None:
    await use_cases.update(image.id, ImageChanges(alt_text="before"))
    updated = await use_cases.update(image.id, ImageChanges(alt_text=given))
    assert kept == updated.alt_text
    assert {image.id: updated} == await use_cases.get([image.id])


@pytest.mark.parametrize("rating", [-1, 0, 6, 2**40])
def test_a_rating_out_of_range_is_refused(rating: int) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        ImageChanges(rating=rating)
    assert ("rating",) == refusal.value.location
    assert f"The rating is {rating}; it may be 1 to 5." == refusal.value.message


@pytest.mark.parametrize(
    ("alt_text", "message"),
    [
        ("x" * 2_001, "The alt text has 2,001 characters; at most 2,000 fit."),
        ("a\0b", "The alt text has the character U+0000 in it; leave that out."),
        ("\udfff", "The alt text has the character U+DFFF in it; leave that out."),
    ],
)
async def test_an_overlong_or_unstorable_alt_text_is_refused(
    use_cases: UseCases, image: Image, *, alt_text: str, message: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.update(image.id, ImageChanges(alt_text=alt_text))
    assert (refusal.value.location, message) == (("alt_text",), refusal.value.message)
    assert {image.id: image} == await use_cases.get([image.id])


async def test_updating_a_missing_image_is_refused(use_cases: UseCases) -> None:
    with pytest.raises(ImageNotFound):
        await use_cases.update(uuid7(), ImageChanges(alt_text="The sea"))


async def test_tags_are_added_to_and_removed_from_existing_images(
    use_cases: UseCases, image: Image
) -> None:
    ids = [image.id, uuid7()]
    tagged = await use_cases.tag(ids, [" beach ", "sea", "Noon"])
    assert {image.id: ("Noon", "beach", "sea")} == {id_: each.tags for id_, each in tagged.items()}
    untagged = await use_cases.untag(ids, ["sea", "never there"])
    assert {image.id: ("Noon", "beach")} == {id_: each.tags for id_, each in untagged.items()}
    assert untagged == await use_cases.get(ids)


async def test_an_invalid_tag_changes_nothing(use_cases: UseCases, image: Image) -> None:
    for change in (use_cases.tag, use_cases.untag):
        with pytest.raises(InvalidArgument) as refusal:
            await change([image.id], ["beach", ""])
        assert refusal.value.location == ("tags",)
    assert {image.id: image} == await use_cases.get([image.id])


async def test_deleting_an_image_deletes_its_bytes_and_no_others(
    use_cases: UseCases, image: Image, storage: MemoryStorage
) -> None:
    [other] = await use_cases.upload([upload(picture_file())])
    assert isinstance(other, UploadedImage)

    assert {image.id} == await use_cases.delete([image.id, uuid7(), image.id])
    assert {other.image.id} == set(await use_cases.get([image.id, other.image.id]))
    assert {variant.key_of(other.image.id) for variant in other.image.required_variants} == set(
        storage.objects
    )
    assert await use_cases.delete([image.id]) == set()


@dataclass
class RecordingInterleaving(Interleaving):
    """Records the points that calls pass."""

    points: list[str] = field(default_factory=list)

    async def __call__(self, point: str) -> None:
        self.points.append(point)
        await super().__call__(point)


async def test_a_deletion_deletes_the_row_before_the_bytes() -> None:
    interleaving = RecordingInterleaving()
    catalog = InterleavedCatalog(interleaving)
    storage = InterleavedStorage(interleaving)
    delete = DeleteImages(catalog, MemoryTrash(catalog), storage, SettableClock(), timedelta(0))
    await delete([uuid7()])
    assert interleaving.points == [
        "before delete",
        "after delete",
        "before delete bytes",
        "after delete bytes",
    ]
