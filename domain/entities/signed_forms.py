"""Signed forms: fields that admit one file to an upload target, protected by an HMAC."""

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

CONTENT_TYPE_FIELD = "Content-Type"
BYTE_SIZE_FIELD = "byteSize"
EXPIRES_FIELD = "expires"
SIGNATURE_FIELD = "signature"

_SIGNED_FIELDS = (CONTENT_TYPE_FIELD, BYTE_SIZE_FIELD, EXPIRES_FIELD)


@dataclass(frozen=True, slots=True)
class SignedForm:
    """A verified form: it admits one file of exactly this size to a target."""

    target_id: UUID
    byte_size: int

    def check_size(self, size: int) -> None:
        """Raise TooLarge or InvalidContent for another size than announced."""
        if size > self.byte_size:
            raise TooLarge(
                f"The file has more than the {self.byte_size:,} bytes that were announced; "
                "create a target for its actual size."
            )
        if size < self.byte_size:
            raise InvalidContent(
                f"The file has {size:,} bytes, but {self.byte_size:,} were announced; "
                "send the whole file again."
            )


def sign_form(target: UploadTarget, secret: bytes) -> tuple[tuple[str, str], ...]:
    """Return the fields of a form for a target, as names and values in order."""
    expires = math.ceil(target.expires_at.timestamp())
    values = target.content_type, str(target.byte_size), str(expires)
    signature = _signature(target.id, values, secret=secret)
    return (*zip(_SIGNED_FIELDS, values, strict=True), (SIGNATURE_FIELD, signature))


def verify_form(
    target_id: UUID, fields: Mapping[str, str], *, secret: bytes, now: datetime
) -> SignedForm:
    """Check the signature and the expiry. Raises UploadForbidden."""
    missing = [name for name in (*_SIGNED_FIELDS, SIGNATURE_FIELD) if name not in fields]
    if missing:
        raise UploadForbidden(
            f"The form lacks the field “{missing[0]}”; send every field of the target, and then "
            "the file."
        )
    signature = _signature(target_id, tuple(fields[name] for name in _SIGNED_FIELDS), secret=secret)
    given = fields[SIGNATURE_FIELD].encode(errors="surrogatepass")
    if not hmac.compare_digest(given, signature.encode()):
        raise UploadForbidden(
            "The fields do not belong to this target; send them exactly as they were returned."
        )
    if datetime.fromtimestamp(int(fields[EXPIRES_FIELD]), UTC) <= now:
        raise UploadForbidden("This upload target has expired; create a new one.")
    return SignedForm(target_id, int(fields[BYTE_SIZE_FIELD]))


def _signature(target_id: UUID, values: tuple[str, ...], *, secret: bytes) -> str:
    # No signed value contains a line break, so two different lists never give the same message.
    message = "\n".join((str(target_id), *values)).encode(errors="surrogatepass")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
