"""Storage in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.entities.storage import Blob, StoredObject, parse_key
from domain.errors import BytesMissing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from domain.entities.storage import ByteRange

CHUNK_BYTES = 64 * 1024


@dataclass
class MemoryStorage:
    """Keeps bytes in a dictionary, ``objects``, which tests can read."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    objects: dict[str, bytes] = field(default_factory=dict)
    modified: dict[str, datetime] = field(default_factory=dict)

    async def check(self) -> None:
        """Return: memory always works."""

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        del content_type
        parse_key(key)
        self.objects[key] = bytes(data)
        self.modified[key] = self.clock()

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        parse_key(key)
        if key not in self.objects:
            raise BytesMissing(key)
        data = self.objects[key]
        first, count = byte_range.within(len(data)) if byte_range else (0, len(data))
        return Blob(len(data), chunks_of(data[first : first + count]))

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            parse_key(key)
            self.objects.pop(key, None)
            self.modified.pop(key, None)

    async def list(self) -> AsyncIterator[StoredObject]:
        for key, modified_at in list(self.modified.items()):
            yield StoredObject(key, modified_at)


async def chunks_of(data: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]
