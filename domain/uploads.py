"""Files on their way in, and what becomes of them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import InvalidContent, TooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from domain.images import Image

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
        last = unicodedata.normalize("NFC", self.filename).replace("\\", "/").rpartition("/")[2]
        printable = "".join(character for character in last if character.isprintable()).strip()
        return printable[-MAX_FILENAME:] or "unnamed"

    async def bytes_within(self, limit: int) -> bytes:
        """Read the file. Raises TooLarge over ``limit`` bytes, and InvalidContent for none."""
        if self.size > limit:
            raise TooLarge(
                f"“{self.name}” has {self.size:,} bytes; at most {limit:,} are accepted. "
                "Send a smaller version."
            )
        data = await self.read()
        if not data:
            raise InvalidContent(f"“{self.name}” is empty. Check that it was read to the end.")
        return data


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """What an accepted file became."""

    image: Image
    is_duplicate: bool
    """The same bytes were here already, and ``image`` is what they became then."""
