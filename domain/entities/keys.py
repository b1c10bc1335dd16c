"""API keys: who may read, change or administer the library."""

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

PREFIX = "pictograph_"


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
    """Return ``scopes`` with everything that they include."""
    return frozenset().union(*(_INCLUDED[scope] for scope in scopes))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key: never the key itself.

    The keys carry 256 random bits, so a plain SHA-256 of them cannot be searched backwards.
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
    """Who asks, reduced to what it may do. ``scopes`` are widened."""

    scopes: frozenset[Scope]
    key_name: str | None = None


def new_key() -> str:
    """Return a fresh secret to hand to a client once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """Return the SHA-256 of a key, lower-case hex."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two digests in a time that tells nothing about where they differ."""
    return hmac.compare_digest(left, right)
