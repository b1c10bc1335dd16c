"""Databases for tests: migrated and empty, and used again once they are emptied.

To create and to drop one takes 0.2 s of a processor, to empty one a tenth of that.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped] # it ships no types
from sqlalchemy import make_url

from infra.postgres.engine import open_engine
from infra.postgres.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEMPLATE = "migrated"
SEEDED = ("alembic_version", "library")
"""Tables into which migrations write rows."""

MAX_USES = 50
"""Uses of one database. Deleted rows take room in it until autovacuum removes them."""

IN_SCHEMAS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_t'"
RELATIONS = f"""
    SELECT c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {IN_SCHEMAS} AND c.relkind IN ('r', 'p', 'v', 'm', 'i', 'S')
    ORDER BY c.relkind IN ('i', 'S'), c.relname
"""  # noqa: S608 - a constant
DEFINITIONS = f"""
    WITH relations AS (
        SELECT c.oid, c.relname, c.relkind, n.nspname, c.reloptions
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {IN_SCHEMAS}
    ), definitions AS (
        SELECT concat_ws(' ', relkind::text, nspname, relname, reloptions) AS definition
        FROM relations
        UNION ALL
        SELECT concat_ws(' ', relname, attname, format_type(atttypid, atttypmod), attnotnull,
            attidentity::text, pg_get_expr(adbin, adrelid))
        FROM relations JOIN pg_attribute a ON attrelid = relations.oid AND attnum > 0
            AND NOT attisdropped
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        UNION ALL
        SELECT pg_get_indexdef(indexrelid) || indisvalid::text
        FROM pg_index JOIN relations ON relations.oid = indexrelid
        UNION ALL
        SELECT concat_ws(' ', relname, conname, pg_get_constraintdef(pg_constraint.oid))
        FROM pg_constraint JOIN relations ON relations.oid = conrelid
        UNION ALL
        SELECT pg_get_triggerdef(pg_trigger.oid) || tgenabled::text
        FROM pg_trigger JOIN relations ON relations.oid = tgrelid WHERE NOT tgisinternal
        UNION ALL
        SELECT concat_ws(' ', nspname, proname, prosrc)
        FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE {IN_SCHEMAS}
        UNION ALL
        SELECT nspname FROM pg_namespace
        UNION ALL
        SELECT concat_ws(' ', extname, extnamespace::regnamespace, extversion) FROM pg_extension
        UNION ALL
        SELECT array_to_string(setconfig, ' ') FROM pg_db_role_setting
        JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
    )
    SELECT md5(string_agg(definition, ';' ORDER BY definition)) FROM definitions
"""  # noqa: S608 - a constant
OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
KINDS = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "i": "INDEX"}


@dataclass
class Databases:
    """The databases of a server that a process uses one after the other."""

    server: str
    """The URL of the server's maintenance database, of which ``migrated`` is a template."""
    _free: list[tuple[str, int]] = field(default_factory=list)
    _relations: list[tuple[str, str]] = field(default_factory=list)
    _fresh: tuple[str, ...] = ()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[str]:
        """Yield the URL of a migrated, empty database."""
        name, uses = self._free.pop() if self._free else (await self._create(), 0)
        yield url_of(self.server, name)
        if uses + 1 < MAX_USES and await self._empty(name):
            self._free.append((name, uses + 1))
        else:
            await self._drop(name)

    @asynccontextmanager
    async def own(self) -> AsyncIterator[str]:
        """Yield the URL of a new database, which is not used again."""
        name = await self._create()
        yield url_of(self.server, name)
        await self._drop(name)

    async def _create(self) -> str:
        name = f"test_{uuid4().hex}"
        async with connected(self.server) as connection:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        if not self._relations:
            async with connected(url_of(self.server, name)) as connection:
                self._relations = await _relations(connection)
                self._fresh = await _state(connection)
        return name

    async def _drop(self, name: str) -> None:
        async with connected(self.server) as connection:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _empty(self, name: str) -> bool:
        """Return whether the database could be made like a new one."""
        try:
            async with connected(url_of(self.server, name)) as connection:
                await connection.execute(OTHERS)
                # Without triggers and foreign keys.
                await connection.execute("SET session_replication_role = replica")
                known = set(self._relations)
                for relation, kind in await _relations(connection):
                    if (relation, kind) not in known and kind in KINDS:
                        await connection.execute(
                            f'DROP {KINDS[kind]} IF EXISTS "{relation}" CASCADE'
                        )
                if await _state(connection) != self._fresh:
                    return False
                await connection.execute(self._emptying)
        except asyncpg.PostgresError:
            return False
        return True

    @property
    def _emptying(self) -> str:
        tables = [name for name, kind in self._relations if kind == "r" and name not in SEEDED]
        deletions = "; ".join(f'DELETE FROM "{table}"' for table in tables)  # noqa: S608 - names
        restarts = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"
        return f"{deletions}; {restarts}"


async def make_template(server: str) -> None:
    """Create the template, and migrate it."""
    async with connected(server) as connection:
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    async with open_engine(url_of(server, TEMPLATE)) as engine:
        await upgrade(engine)


def url_of(server: str, name: str) -> str:
    """Return the URL of a database of the server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection without a transaction."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _relations(connection: asyncpg.Connection) -> list[tuple[str, str]]:
    return [tuple(row) for row in await connection.fetch(RELATIONS)]


async def _state(connection: asyncpg.Connection) -> tuple[str, ...]:
    """Return the definitions, and the rows that migrations wrote."""
    seeds = [
        f"SELECT string_agg(t::text, ';' ORDER BY t::text) FROM {table} t"  # noqa: S608 - constants
        for table in SEEDED
    ]
    return tuple([await connection.fetchval(query) for query in (DEFINITIONS, *seeds)])
