"""Receiving the bytes of a target, where clients send them through this server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.tickets import read_ticket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from uuid import UUID

    from domain.ports import Clock, Reception
    from domain.tickets import Ticket


@dataclass(frozen=True, slots=True)
class ReceiveUpload:
    """Put a file at its target. Who shows the target's fields needs no key."""

    reception: Reception
    clock: Clock

    def admit(self, target_id: UUID, fields: Mapping[str, str]) -> Ticket:
        """Return what the fields admit. Raises UploadForbidden, also where that has expired."""
        return read_ticket(target_id, fields, secret=self.reception.secret, now=self.clock())

    async def __call__(self, ticket: Ticket, chunks: AsyncIterator[bytes], *, size: int) -> None:
        """Keep ``size`` bytes, in place of what was sent before.

        Raises TooLarge or InvalidContent for another size than announced.
        """
        ticket.check_size(size)
        await self.reception.write(ticket.target_id, chunks)
