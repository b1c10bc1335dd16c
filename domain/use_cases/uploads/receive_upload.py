"""Receives files of upload targets, where clients send them through this server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.signed_forms import verify_form

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from uuid import UUID

    from domain.entities.signed_forms import SignedForm
    from domain.ports import Clock, LocalStaging


@dataclass(frozen=True, slots=True)
class ReceiveUpload:
    """Writes a file to the staging area. The signed form admits it; no API key is needed."""

    staging: LocalStaging
    clock: Clock

    def admit(self, target_id: UUID, fields: Mapping[str, str]) -> SignedForm:
        """Verify the fields of a form. Raises UploadForbidden."""
        return verify_form(target_id, fields, secret=self.staging.secret, now=self.clock())

    async def __call__(self, form: SignedForm, chunks: AsyncIterator[bytes], *, size: int) -> None:
        """Write ``size`` bytes, in place of a file that was sent before.

        Raises TooLarge or InvalidContent unless the size is the announced one.
        """
        form.check_size(size)
        await self.staging.write(form.target_id, chunks)
