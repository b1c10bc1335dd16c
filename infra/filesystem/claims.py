"""The marker in a local folder."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.claims import CLAIM_NAME, claim_of, claim_to_bytes

if TYPE_CHECKING:
    from domain.entities.claims import StorageClaim


@dataclass(frozen=True, slots=True)
class FolderClaims:
    """A file in the folder of a FolderStorage. Writes are atomic and durable."""

    folder: Path

    @property
    def place(self) -> str:
        return str(self.folder)

    async def read_claim(self) -> StorageClaim | None:
        return await asyncio.to_thread(self._read)

    async def add_claim(self, claim: StorageClaim) -> StorageClaim:
        await asyncio.to_thread(self._write, claim, replace=False)
        return self._read() or claim

    async def replace_claim(self, claim: StorageClaim) -> None:
        await asyncio.to_thread(self._write, claim, replace=True)

    def _read(self) -> StorageClaim | None:
        try:
            data = (self.folder / CLAIM_NAME).read_bytes()
        except FileNotFoundError:
            return None
        return claim_of(data, self.place)

    def _write(self, claim: StorageClaim, *, replace: bool) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".unfinished-", dir=self.folder)
        temporary, final = Path(name), self.folder / CLAIM_NAME
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(claim_to_bytes(claim))
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(final)
            else:
                # A link fails where the name exists: the first of two libraries wins.
                final.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
