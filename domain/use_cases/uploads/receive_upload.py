"""Receiving the bytes of a target, where clients send them through this server."""

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
    """Put a file at its target. Who shows the target's fields needs no key."""

    reception: LocalStaging
    clock: Clock

    def admit(self, target_id: UUID, fields: Mapping[str, str]) -> SignedForm:
        """Return what the fields admit. Raises UploadForbidden, also where that has expired."""
        return verify_form(target_id, fields, secret=self.reception.secret, now=self.clock())

    async def __call__(
        self, ticket: SignedForm, chunks: AsyncIterator[bytes], *, size: int
    ) -> None:
        """Keep ``size`` bytes, in place of what was sent before.

        Raises TooLarge or InvalidContent for another size than announced.
        """
        ticket.check_size(size)
        await self.reception.write(ticket.target_id, chunks)
