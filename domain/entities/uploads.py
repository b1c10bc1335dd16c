"""Files on their way in, and what becomes of them."""

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

MAX_FILENAME = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody sends. Its bytes are read only when their turn comes."""

    filename: str
    size: int
    """In bytes, as known before reading."""
    read: Callable[[], Awaitable[bytes]]

    @property
    def name(self) -> str:
        """The file name for people to see: without folders and control characters, not empty."""
        return display_name(self.filename)

    async def bytes_within(self, limit: int) -> bytes:
        """Read the file. Raises TooLarge over ``limit`` bytes, and InvalidContent for none."""
        # An empty file is refused when it was read: its size may have been a claim.
        check_size(self.name, max(self.size, 1), limit=limit)
        data = await self.read()
        check_size(self.name, len(data), limit=limit)
        return data


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """What an accepted file became."""

    image: Image
    is_duplicate: bool
    """The same bytes were here already, and ``image`` is what they became then."""


def display_name(filename: str) -> str:
    """Return a file name for people to see: without folders and control characters, not empty."""
    last = unicodedata.normalize("NFC", filename).replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if is_printable(character))
    return printable.strip()[-MAX_FILENAME:] or "unnamed"


def check_size(name: str, size: int, *, limit: int) -> None:
    """Raise TooLarge over ``limit`` bytes, and InvalidContent for none."""
    if size > limit:
        raise TooLarge(
            f"“{name}” has {size:,} bytes; at most {limit:,} are accepted. Send a smaller version."
        )
    if size <= 0:
        raise InvalidContent(f"“{name}” is empty. Check that it was read to the end.")


async def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of a file, lower-case hex, without holding up the event loop."""
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())


async def all_outcomes(
    works: Iterable[Coroutine[None, None, UploadedImage | Refusal]],
) -> list[UploadedImage | Refusal]:
    """Do all at once, and return what became of each, in order.

    Raises the first outage when all have ended. What was taken in stays, and sending it again
    changes nothing.
    """
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    results: list[UploadedImage | Refusal] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
            raise outcome
        results.append(outcome)
    return results


def without_traceback(refusal: Refusal) -> Refusal:
    """Return a refusal that holds no file's bytes by its traceback until a whole batch is done."""
    refusal.__traceback__ = refusal.__context__ = refusal.__cause__ = None
    return refusal
