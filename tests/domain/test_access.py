"""API keys: authentication, scopes, and issuing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.images import uuid7
from domain.entities.keys import (
    KEY_PREFIX,
    ApiKey,
    Caller,
    Scope,
    digest,
    digests_match,
    new_key,
    widen,
)
from domain.errors import InvalidArgument, Unauthorized
from domain.use_cases.access import Authenticate, IssueKey, ListKeys, RevokeKey, demand
from tests.fakes.clock import SettableClock

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.keys import MemoryKeys

ALL_SCOPES = frozenset(Scope)
NO_SCOPES: frozenset[Scope] = frozenset()
READING = frozenset({Scope.READ})
CHANGING = frozenset({Scope.READ, Scope.WRITE})


@pytest.mark.parametrize(
    ("scopes", "widened"),
    [
        (NO_SCOPES, NO_SCOPES),
        ({Scope.READ}, READING),
        ({Scope.WRITE}, CHANGING),
        ({Scope.ADMIN}, ALL_SCOPES),
        ({Scope.READ, Scope.ADMIN}, ALL_SCOPES),
    ],
)
def test_admin_includes_write_and_write_includes_read(
    scopes: frozenset[Scope], widened: frozenset[Scope]
) -> None:
    assert widened == widen(scopes)


def test_a_new_key_has_the_prefix_and_256_random_bits() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(key.startswith(KEY_PREFIX) for key in made)
    # 32 random bytes in base64 without padding.
    assert {len(KEY_PREFIX) + 43} == {len(key) for key in made}


def test_digests_match_only_for_the_same_key() -> None:
    assert digests_match(digest("one"), digest("one"))
    assert not digests_match(digest("one"), digest("two"))
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("public_reading", "configured", "scopes"),
    [
        (True, None, READING),
        (True, "from the environment", READING),
        (False, None, NO_SCOPES),
        (False, "from the environment", NO_SCOPES),
    ],
)
async def test_a_caller_without_a_key_may_read_at_most(
    keys: MemoryKeys, *, public_reading: bool, configured: str | None, scopes: frozenset[Scope]
) -> None:
    authenticate = Authenticate(keys, public_reading, configured)
    assert Caller(scopes) == await authenticate(None)


@pytest.mark.parametrize("public_reading", [True, False])
@pytest.mark.parametrize("configured", [None, "from the environment"])
@pytest.mark.parametrize(
    ("given", "scopes"),
    [(Scope.READ, READING), (Scope.WRITE, CHANGING), (Scope.ADMIN, ALL_SCOPES)],
)
async def test_a_key_allows_what_its_scopes_include(
    keys: MemoryKeys,
    *,
    given: Scope,
    scopes: frozenset[Scope],
    public_reading: bool,
    configured: str | None,
) -> None:
    secret, _ = await IssueKey(keys, SettableClock())("phone", [given])
    authenticate = Authenticate(keys, public_reading, configured)
    assert Caller(scopes, "phone") == await authenticate(secret)


@pytest.mark.parametrize("public_reading", [True, False])
async def test_the_configured_key_has_every_scope(
    keys: MemoryKeys, *, public_reading: bool
) -> None:
    authenticate = Authenticate(keys, public_reading, "from the environment")
    assert Caller(ALL_SCOPES, "environment") == await authenticate("from the environment")


@pytest.mark.parametrize("public_reading", [True, False])
@pytest.mark.parametrize("configured", [None, "", "from the environment"])
@pytest.mark.parametrize("key", ["", "wrong", "From the environment", "\ud800"])
async def test_an_unknown_key_is_refused_even_where_reading_is_public(
    keys: MemoryKeys, *, public_reading: bool, configured: str | None, key: str
) -> None:
    authenticate = Authenticate(keys, public_reading, configured)
    with pytest.raises(Unauthorized) as refusal:
        await authenticate(key)
    assert refusal.value.message == "The API key is unknown or revoked; ask for a new one."


async def test_a_revoked_key_is_refused(
    use_cases: UseCases, keys: MemoryKeys, clock: SettableClock
) -> None:
    secret, key = await use_cases.issue_key("phone", [Scope.ADMIN])
    assert await keys.revoke(key.id, clock())
    with pytest.raises(Unauthorized, match="revoked; ask for a new one"):
        await use_cases.authenticate(secret)


async def test_a_caller_with_a_key_keeps_the_public_scopes(
    keys: MemoryKeys, clock: SettableClock
) -> None:
    await keys.add(ApiKey(uuid7(), "old", digest("secret"), NO_SCOPES, clock()))
    assert Caller(READING, "old") == await Authenticate(keys, public_reading=True)("secret")
    assert Caller(NO_SCOPES, "old") == await Authenticate(keys, public_reading=False)("secret")


@pytest.mark.parametrize("scope", Scope)
def test_a_caller_with_the_scope_passes(scope: Scope) -> None:
    demand(Caller(frozenset({scope})), scope)


@pytest.mark.parametrize(
    ("caller", "scope", "sentence"),
    [
        (
            Caller(READING),
            Scope.WRITE,
            "This needs a key with the scope WRITE. No key was sent",
        ),
        (
            Caller(CHANGING, "phone"),
            Scope.ADMIN,
            "This needs a key with the scope ADMIN. The key “phone” lacks it",
        ),
    ],
)
def test_the_refusal_of_a_missing_scope_says_how_to_authenticate(
    caller: Caller, scope: Scope, sentence: str
) -> None:
    with pytest.raises(Unauthorized) as refusal:
        demand(caller, scope)
    way_in = "send the header “Authorization: Bearer <key>”."
    assert f"{sentence}; {way_in}" == refusal.value.message


async def test_a_key_is_stored_as_a_digest_only(
    use_cases: UseCases, keys: MemoryKeys, clock: SettableClock
) -> None:
    secret, key = await use_cases.issue_key("  my phone ", iter([Scope.READ, Scope.WRITE]))

    assert [key] == await keys.list()
    assert (key.name, key.scopes, key.revoked_at) == ("my phone", CHANGING, None)
    assert (digest(secret), clock.now) == (key.sha256, key.created_at)
    assert secret not in repr(key)
    assert key == await keys.find(digest(secret))


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "\ud800"])
async def test_a_key_with_an_invalid_name_is_refused(use_cases: UseCases, name: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.issue_key(name, [Scope.READ])
    assert refusal.value.location == ("name",)
    assert (
        refusal.value.message == "A key's name has 1 to 100 printable characters; choose another."
    )


async def test_a_key_without_scopes_is_refused(keys: MemoryKeys, clock: SettableClock) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await IssueKey(keys, clock)("phone", [])
    assert refusal.value.location == ("scopes",)
    assert refusal.value.message == "A key needs a scope; give it READ, WRITE or ADMIN."
    assert await keys.list() == []


async def test_a_key_is_revoked_once_and_stays_listed(
    use_cases: UseCases, keys: MemoryKeys, clock: SettableClock
) -> None:
    _, key = await use_cases.issue_key("importer", [Scope.WRITE])
    revoke = RevokeKey(keys, clock)
    assert await revoke(key.id)
    assert not await revoke(key.id)
    assert [clock.now] == [each.revoked_at for each in await ListKeys(keys)()]
