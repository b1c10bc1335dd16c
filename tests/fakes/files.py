"""Uploads of given bytes."""

from __future__ import annotations

from domain.entities.uploads import Upload


def upload(data: bytes, filename: str = "picture.png", *, size: int | None = None) -> Upload:
    """Return an upload of ``data``; ``size`` is its declared size, by default the true one."""

    async def read() -> bytes:
        return data

    return Upload(filename, len(data) if size is None else size, read)
