"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import uuid7
from domain.entities.keys import ApiKey, Caller, Scope, digest, new_key, same, widen
from domain.errors import InvalidArgument, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from domain.ports import Clock, Keys

MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Turn the key that a request carries into what its sender may do."""

    keys: Keys
    public_reading: bool
    configured_key: str | None = None
    """A key from the environment. It may do everything."""

    async def __call__(self, key: str | None) -> Caller:
        """Return the caller. Raises Unauthorized for a key that is unknown or revoked."""
        everybody = frozenset({Scope.READ}) if self.public_reading else frozenset()
        if key is None:
            return Caller(everybody)
        sha256 = digest(key)
        if self.configured_key and same(sha256, digest(self.configured_key)):
            return Caller(widen({Scope.ADMIN}), key_name="environment")
        known = await self.keys.find(sha256)
        if known is None or not same(sha256, known.sha256) or known.revoked_at is not None:
            raise Unauthorized("The API key is unknown or revoked; ask for a new one.")
        return Caller(widen(known.scopes) | everybody, key_name=known.name)


def demand(caller: Caller, scope: Scope) -> None:
    """Raise Unauthorized unless the caller may do what ``scope`` covers."""
    if scope not in caller.scopes:
        known = f"The key “{caller.key_name}” lacks it" if caller.key_name else "No key was sent"
        raise Unauthorized(
            f"This needs a key with the scope {scope.name}. {known}; "
            "send the header “Authorization: Bearer <key>”."
        )


@dataclass(frozen=True, slots=True)
class IssueKey:
    """Make a key. The secret is returned once and kept nowhere."""

    keys: Keys
    clock: Clock

    async def __call__(self, name: str, scopes: Iterable[Scope]) -> tuple[str, ApiKey]:
        cleaned = name.strip()
        if not cleaned or len(cleaned) > MAX_NAME or not cleaned.isprintable():
            raise InvalidArgument(
                ("name",), f"A key's name has 1 to {MAX_NAME} printable characters."
            )
        allowed = frozenset(scopes)
        if not allowed:
            raise InvalidArgument(("scopes",), "A key needs a scope; give it READ, WRITE or ADMIN.")
        secret = new_key()
        key = ApiKey(uuid7(), cleaned, digest(secret), allowed, self.clock())
        await self.keys.add(key)
        return secret, key


@dataclass(frozen=True, slots=True)
class ListKeys:
    """Return every key, oldest first, revoked ones included."""

    keys: Keys

    async def __call__(self) -> Sequence[ApiKey]:
        return await self.keys.list()


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Revoke a key for good, and return whether it was in force until now."""

    keys: Keys
    clock: Clock

    async def __call__(self, key_id: UUID) -> bool:
        return await self.keys.revoke(key_id, self.clock())
