"""A concept store in memory."""

from __future__ import annotations


class MemoryConceptStore:
    """Keeps the last set."""

    def __init__(self) -> None:
        self._kept: tuple[str, bytes] | None = None

    async def find(self, sha256: str) -> bytes | None:
        return self._kept[1] if self._kept and self._kept[0] == sha256 else None

    async def keep(self, sha256: str, embeddings: bytes) -> None:
        self._kept = (sha256, embeddings)
