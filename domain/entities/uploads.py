"""Uploads: files that are read on demand, and their outcomes."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.text import is_printable
from domain.errors import InvalidContent, Refusal, TooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from domain.entities.images import Image

MAX_FILENAME_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a client sends. Its bytes are read when they are needed."""

    filename: str
    size: int
    """In bytes, as claimed by the client."""
    read: Callable[[], Awaitable[bytes]]

    @property
    def name(self) -> str:
        """The file name for display. See ``display_name``."""
        return display_name(self.filename)

    async def bytes_within(self, limit: int) -> bytes:
        """Read the file. Raises TooLarge above ``limit`` bytes, and InvalidContent for no bytes."""
        # The claimed size may be wrong: an empty file is refused only after reading.
        check_size(self.name, max(self.size, 1), limit=limit)
        data = await self.read()
        check_size(self.name, len(data), limit=limit)
        return data


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """The image of an accepted file."""

    image: Image
    is_duplicate: bool
    """Whether the same bytes were uploaded before. ``image`` is the earlier image then."""
    added_tags: tuple[str, ...] = ()
    """The tags that the upload added to the image, in alphabetical order."""
    was_restored: bool = False
    """Whether the upload restored the image from the trash."""

    @classmethod
    def again(cls, before: Image, after: Image) -> UploadedImage:
        """Return an earlier image whose bytes were uploaded again, with what that changed."""
        added = tuple(tag for tag in after.tags if tag not in before.tags)
        was_restored = before.deleted_at is not None
        return cls(after, is_duplicate=True, added_tags=added, was_restored=was_restored)


def display_name(filename: str) -> str:
    """Return a file name for display: normalised to NFC, not empty, without folders.

    Unprintable characters are left out, and the last MAX_FILENAME_CHARACTERS are kept.
    """
    last = unicodedata.normalize("NFC", filename).replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if is_printable(character))
    return printable.strip()[-MAX_FILENAME_CHARACTERS:] or "unnamed"


def check_size(name: str, size: int, *, limit: int) -> None:
    """Raise TooLarge above ``limit`` bytes, and InvalidContent for no bytes."""
    if size > limit:
        raise TooLarge(
            f"“{name}” has {size:,} bytes; at most {limit:,} are accepted. Send a smaller version."
        )
    if size <= 0:
        raise InvalidContent(f"“{name}” is empty. Send a file that has bytes.")


async def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of a file, lower-case hex, without blocking the event loop."""
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())


async def all_outcomes(
    uploads: Iterable[Coroutine[None, None, UploadedImage | Refusal]],
) -> list[UploadedImage | Refusal]:
    """Run all uploads concurrently, and return their outcomes in order.

    When all have ended, the first outage is raised. Finished uploads stay, and repeating them is
    idempotent.
    """
    outcomes = await asyncio.gather(*uploads, return_exceptions=True)
    results: list[UploadedImage | Refusal] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
            raise outcome
        results.append(outcome)
    return results


def without_traceback(refusal: Refusal) -> Refusal:
    """Return the refusal without its traceback, which would keep the file in memory."""
    refusal.__traceback__ = refusal.__context__ = refusal.__cause__ = None
    return refusal
