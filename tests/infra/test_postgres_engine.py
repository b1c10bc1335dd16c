"""Opening a database: what cannot do the work is refused in one sentence with the way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text

from domain.entities.embeddings import EmbeddingModel
from domain.errors import Misconfigured
from infra.postgres import engine as module
from infra.postgres.engine import check_server, open_engine, parse_url
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import TextClause


def reporting(about: Mapping[str, object]) -> TextClause:
    """Return a question to which any server answers as this one would."""
    columns = ", ".join(
        f"{'NULL' if value is None else repr(value)} AS {name}" for name, value in about.items()
    )
    return text(f"SELECT {columns}")


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"server": 13, "installed": "0.8.5", "available": "0.8.5"}, "is PostgreSQL 13: 14 or"),
        ({"server": 18, "installed": None, "available": None}, "has no pgvector: install"),
        ({"server": 18, "installed": None, "available": "0.8.3"}, "has pgvector 0.8.3: install"),
        ({"server": 18, "installed": "0.8.3", "available": "0.8.3"}, "has pgvector 0.8.3: install"),
        (
            {"server": 18, "installed": "0.8.0", "available": "0.8.4"},
            "has pgvector 0.8.0, and 0.8.4 or newer is needed: run ALTER EXTENSION vector UPDATE",
        ),
    ],
)
async def test_a_server_that_is_too_old_is_refused(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, about: dict[str, object], sentence: str
) -> None:
    monkeypatch.setattr(module, "ABOUT_SERVER", reporting(about))
    with pytest.raises(Misconfigured, match=re.escape(sentence)):
        async with open_engine(postgres_url):
            pass


@pytest.mark.parametrize("version", ["0.8.4", "0.8.10", "0.9.0", "1.0"])
async def test_a_newer_pgvector_is_welcome(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    about = {"server": 14, "installed": None, "available": version}
    async with open_engine(postgres_url) as engine:
        monkeypatch.setattr(module, "ABOUT_SERVER", reporting(about))
        await check_server(engine)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "PICTOGRAPH_DATABASE_URL is no URL: write postgresql://"),
        ("postgresql://host:port/name", "PICTOGRAPH_DATABASE_URL is no URL: write postgresql://"),
        ("mysql://host/name", "is for mysql; Pictograph needs PostgreSQL"),
        ("postgresql://u:secret@127.0.0.1:1/name", "127.0.0.1:1/name cannot be used ("),
        ("postgresql://u:secret@no-such-host.invalid/name", "name cannot be used ("),
    ],
)
async def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=re.escape(sentence)) as refusal:
        async with open_engine(url):
            pass
    assert "secret" not in refusal.value.message


async def test_a_database_that_is_not_there_is_refused(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(Misconfigured, match=r'\(database "nowhere" does not exist\)'):
        async with open_engine(url):
            pass


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_a_url_is_read_as_psql_reads_it(scheme: str) -> None:
    url = parse_url(f"{scheme}://u:p%40ss@host:5433/name?sslmode=require")
    assert ("postgresql+asyncpg", "p@ss", 5433) == (url.drivername, url.password, url.port)
    assert {"ssl": "require"} == dict(url.query)


async def test_connections_that_a_restart_cut_are_replaced(postgres_url: str) -> None:
    async with open_engine(postgres_url, pool_size=2) as engine:
        catalog = await PostgresLibrary.open(engine, EmbeddingModel("tests/small", 3))
        image = await catalog.add(image_with(), (1.0, 0.0, 0.0))
        async with open_engine(postgres_url) as other, other.connect() as connection:
            await connection.execute(
                text("""
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            )
        assert {image.id: image} == await catalog.get([image.id])


async def test_each_connection_plans_for_the_values_it_is_asked(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        assert "force_custom_plan" == await connection.scalar(text("SHOW plan_cache_mode"))
