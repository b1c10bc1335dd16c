"""The contract of Keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest_asyncio

from domain.entities.images import uuid7
from domain.entities.keys import ApiKey, Scope, digest, new_key
from infra.postgres.engine import open_engine
from infra.postgres.keys import PostgresKeys
from tests.fakes.images import NOON
from tests.fakes.keys import MemoryKeys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from domain.ports import Keys


def key_named(name: str, *scopes: Scope, hours: int = 0) -> ApiKey:
    created_at = NOON + timedelta(hours=hours)
    return ApiKey(uuid7(), name, digest(new_key()), frozenset(scopes), created_at)


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def keys(request: pytest.FixtureRequest) -> AsyncIterator[Keys]:
    if request.param == "memory":
        yield MemoryKeys()
        return
    async with open_engine(request.getfixturevalue("postgres_url")) as engine:
        yield PostgresKeys(engine)


async def test_a_key_is_found_by_its_digest(keys: Keys) -> None:
    key = key_named("importer", Scope.WRITE, Scope.READ)
    await keys.add(key)
    assert key == await keys.find(key.sha256)
    assert None is await keys.find(digest("another"))


async def test_keys_are_listed_oldest_first(keys: Keys) -> None:
    assert [] == list(await keys.list())
    late = key_named("late", hours=1)
    early = key_named("early", Scope.ADMIN)
    await keys.add(late)
    await keys.add(early)
    assert [early, late] == list(await keys.list())


async def test_a_revoked_key_is_found_with_the_time_of_its_revocation(keys: Keys) -> None:
    key = key_named("leaked", Scope.ADMIN)
    await keys.add(key)
    later = NOON + timedelta(days=1)
    assert await keys.revoke(key.id, later)
    assert replace(key, revoked_at=later) == await keys.find(key.sha256)


async def test_revoking_returns_false_for_revoked_and_unknown_keys(keys: Keys) -> None:
    key = key_named("leaked", Scope.READ)
    await keys.add(key)
    assert await keys.revoke(key.id, NOON)
    assert not await keys.revoke(key.id, NOON + timedelta(days=1))
    assert not await keys.revoke(uuid7(), NOON)
    found = await keys.find(key.sha256)
    assert replace(key, revoked_at=NOON) == found
