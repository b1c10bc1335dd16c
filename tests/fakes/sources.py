"""External files in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.storage import Blob
from domain.errors import BytesMissing
from tests.fakes.storage import chunks_of

if TYPE_CHECKING:
    from domain.entities.images import Source
    from domain.entities.storage import ByteRange


@dataclass
class MemoryExternalFiles:
    """Bytes under their location and version."""

    objects: dict[Source, bytes] = field(default_factory=dict)
    refusal: Exception | None = None
    """If set, ``open`` raises it."""

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        if self.refusal:
            raise self.refusal
        if source not in self.objects:
            raise BytesMissing(source.location)
        data = self.objects[source]
        first, count = byte_range.within(len(data)) if byte_range else (0, len(data))
        return Blob(len(data), chunks_of(data[first : first + count]))
