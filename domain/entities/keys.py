"""API keys and their scopes: who may read, change or administer the library."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

KEY_PREFIX = "pictograph_"
"""Makes keys recognisable, for example by secret scanners."""


class Scope(StrEnum):
    """What a key allows. ADMIN includes WRITE, WRITE includes READ."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_INCLUDED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.ADMIN: frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN}),
}


def widen(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return ``scopes`` and the scopes that they include."""
    return frozenset().union(*(_INCLUDED[scope] for scope in scopes))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The stored facts of a key, without the key itself.

    A key has 256 random bits, so a plain SHA-256 of it cannot be reversed by search.
    """

    id: UUID
    name: str
    sha256: str
    """Of the whole key, lower-case hex."""
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request: its scopes, and those that they include."""

    scopes: frozenset[Scope]
    key_name: str | None = None


def new_key() -> str:
    """Return a new random key."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """Return the SHA-256 of a key, lower-case hex."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def digests_match(left: str, right: str) -> bool:
    """Compare two digests in constant time, as a defence against timing attacks."""
    return hmac.compare_digest(left, right)
