"""Local staging in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.entities.signed_forms import sign_form
from domain.entities.upload_targets import StagedFile, UploadForm
from domain.errors import BytesMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from uuid import UUID

    from domain.entities.upload_targets import UploadTarget


@dataclass
class MemoryStaging:
    """Keeps uploads in ``files``, which tests may read."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    secret: bytes = b"known to the server alone"
    files: dict[UUID, bytes] = field(default_factory=dict)
    modified: dict[UUID, datetime] = field(default_factory=dict)

    async def slot(self, target: UploadTarget) -> UploadForm:
        return UploadForm(f"/uploads/{target.id}", sign_form(target, self.secret))

    async def write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        self.put(target_id, b"".join([chunk async for chunk in chunks]))

    def put(self, target_id: UUID, data: bytes) -> None:
        """Write without awaiting."""
        self.files[target_id] = data
        self.modified[target_id] = self.clock()

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        if target_id not in self.files:
            raise BytesMissing(str(target_id))
        return self.files[target_id][:limit]

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        for target_id in target_ids:
            self.files.pop(target_id, None)
            self.modified.pop(target_id, None)

    async def list(self) -> AsyncIterator[StagedFile]:
        for target_id, modified_at in list(self.modified.items()):
            yield StagedFile(target_id, modified_at)
