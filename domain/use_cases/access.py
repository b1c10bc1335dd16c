"""Authenticates callers by API key, checks scopes, and issues keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.concurrency import may_use_reserve
from domain.entities.images import uuid7
from domain.entities.keys import ApiKey, Caller, Scope, digest, digests_match, new_key, widen
from domain.errors import InvalidArgument, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from domain.ports import Clock, Keys

MAX_KEY_NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Returns the caller of a request by its key.

    Without a key, a caller may read if reading is public, and nothing else.
    """

    keys: Keys
    public_reading: bool
    configured_key: str | None = None
    """A key that is not in the database. It has every scope."""

    async def __call__(self, key: str | None) -> Caller:
        """Return the caller. Raises Unauthorized for a key that is unknown or revoked.

        From then on, the current task uses reserved capacity only if the caller has a key.
        """
        caller = await self._caller(key)
        may_use_reserve.set(caller.key_name is not None)
        return caller

    async def _caller(self, key: str | None) -> Caller:
        public = frozenset({Scope.READ}) if self.public_reading else frozenset()
        if key is None:
            return Caller(public)
        sha256 = digest(key)
        if self.configured_key and digests_match(sha256, digest(self.configured_key)):
            return Caller(widen({Scope.ADMIN}), key_name="environment")
        known = await self.keys.find(sha256)
        if known is None or not digests_match(sha256, known.sha256) or known.revoked_at is not None:
            raise Unauthorized("The API key is unknown or revoked; ask for a new one.")
        return Caller(widen(known.scopes) | public, key_name=known.name)


def demand(caller: Caller, scope: Scope) -> None:
    """Raise Unauthorized unless the caller has the scope."""
    if scope not in caller.scopes:
        reason = f"The key “{caller.key_name}” lacks it" if caller.key_name else "No key was sent"
        raise Unauthorized(
            f"This needs a key with the scope {scope.name}. {reason}; "
            "send the header “Authorization: Bearer <key>”."
        )


@dataclass(frozen=True, slots=True)
class IssueKey:
    """Creates a key, and returns it with its stored facts. The key itself is not stored.

    Raises InvalidArgument for the name, and for an empty list of scopes.
    """

    keys: Keys
    clock: Clock

    async def __call__(self, name: str, scopes: Iterable[Scope]) -> tuple[str, ApiKey]:
        cleaned = name.strip()
        if not cleaned or len(cleaned) > MAX_KEY_NAME_CHARACTERS or not cleaned.isprintable():
            raise InvalidArgument(
                ("name",),
                f"A key's name has 1 to {MAX_KEY_NAME_CHARACTERS} printable characters; choose "
                "another.",
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
    """Returns every key, oldest first, revoked ones included."""

    keys: Keys

    async def __call__(self) -> Sequence[ApiKey]:
        return await self.keys.list()


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Revokes a key for good, and returns whether it was in force."""

    keys: Keys
    clock: Clock

    async def __call__(self, key_id: UUID) -> bool:
        return await self.keys.revoke(key_id, self.clock())
