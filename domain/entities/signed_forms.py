"""What clients show to put bytes at a target of this server: facts that we signed."""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.errors import InvalidContent, TooLarge, UploadForbidden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from domain.entities.upload_targets import UploadTarget

CONTENT_TYPE, BYTE_SIZE, EXPIRES, SIGNATURE = "Content-Type", "byteSize", "expires", "signature"
_SIGNED = (CONTENT_TYPE, BYTE_SIZE, EXPIRES)


@dataclass(frozen=True, slots=True)
class SignedForm:
    """Admits one file of exactly this size to a target."""

    target_id: UUID
    byte_size: int

    def check_size(self, size: int) -> None:
        """Raise TooLarge or InvalidContent for another size than announced."""
        if size > self.byte_size:
            raise TooLarge(
                f"The file has more than the {self.byte_size:,} bytes that were announced; "
                "create a target for as many as it has."
            )
        if size < self.byte_size:
            raise InvalidContent(
                f"The file has {size:,} bytes, and {self.byte_size:,} were announced; "
                "send it again, to the end."
            )


def sign_form(target: UploadTarget, secret: bytes) -> tuple[tuple[str, str], ...]:
    """Return the fields that admit to a target."""
    expires = math.ceil(target.expires_at.timestamp())
    values = target.content_type, str(target.byte_size), str(expires)
    signature = _signature(target.id, values, secret=secret)
    return (*zip(_SIGNED, values, strict=True), (SIGNATURE, signature))


def verify_form(
    target_id: UUID, fields: Mapping[str, str], *, secret: bytes, now: datetime
) -> SignedForm:
    """Return what the fields admit. Raises UploadForbidden where they were not handed out."""
    missing = [name for name in (*_SIGNED, SIGNATURE) if name not in fields]
    if missing:
        raise UploadForbidden(
            f"The form lacks the field “{missing[0]}”; send every field of the target, and the "
            "file after them."
        )
    signature = _signature(target_id, tuple(fields[name] for name in _SIGNED), secret=secret)
    given = fields[SIGNATURE].encode(errors="surrogatepass")
    if not hmac.compare_digest(given, signature.encode()):
        raise UploadForbidden(
            "The fields are not those of this target; send them as they were handed out."
        )
    if datetime.fromtimestamp(int(fields[EXPIRES]), UTC) <= now:
        raise UploadForbidden("This upload target has expired; create a new one.")
    return SignedForm(target_id, int(fields[BYTE_SIZE]))


def _signature(target_id: UUID, values: tuple[str, ...], *, secret: bytes) -> str:
    # No value that we signed has a line break in it, so lines can be cut in one way only.
    message = "\n".join((str(target_id), *values)).encode(errors="surrogatepass")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
