"""open_engine: servers, versions and URLs that are refused, each with the way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text

from domain.entities.embeddings import EmbeddingModel
from domain.errors import Misconfigured
from infra.postgres import engine as module
from infra.postgres.engine import check_server, open_engine
from infra.postgres.url import connect_arguments, parse_url
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import TextClause


def select_constants(versions: Mapping[str, object]) -> TextClause:
    """Return a statement whose result is these versions on any server."""
    columns = ", ".join(
        f"{'NULL' if value is None else repr(value)} AS {name}" for name, value in versions.items()
    )
    return text(f"SELECT {columns}")


@pytest.mark.parametrize(
    ("versions", "sentence"),
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
async def test_an_old_server_or_pgvector_is_refused_with_the_way_out(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, versions: dict[str, object], sentence: str
) -> None:
    monkeypatch.setattr(module, "SELECT_VERSIONS", select_constants(versions))
    with pytest.raises(Misconfigured, match=re.escape(sentence)):
        async with open_engine(postgres_url):
            pass


@pytest.mark.parametrize("version", ["0.8.4", "0.8.10", "0.9.0", "1.0"])
async def test_a_newer_pgvector_is_accepted(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    versions = {"server": 14, "installed": None, "available": version}
    async with open_engine(postgres_url) as engine:
        monkeypatch.setattr(module, "SELECT_VERSIONS", select_constants(versions))
        await check_server(engine)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "PICTOGRAPH_DATABASE_URL is not a URL: write postgresql://"),
        ("postgresql://host:port/name", "PICTOGRAPH_DATABASE_URL is not a URL: write postgresql:"),
        ("mysql://host/name", "is for mysql, and Pictograph needs PostgreSQL"),
        ("postgresql://u:secret@127.0.0.1:1/name", "127.0.0.1:1/name cannot be used ("),
        ("postgresql://u:secret@no-such-host.invalid/name", "name cannot be used ("),
    ],
)
async def test_the_refusal_of_an_unreachable_database_shows_no_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=re.escape(sentence)) as refusal:
        async with open_engine(url):
            pass
    assert "secret" not in refusal.value.message


async def test_a_database_that_does_not_exist_is_refused(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(Misconfigured, match=r'\(database "nowhere" does not exist\)'):
        async with open_engine(url):
            pass


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_a_url_of_psql_is_parsed_for_asyncpg(scheme: str) -> None:
    url = parse_url(f"{scheme}://u:p%40ss@host:5433/name?sslmode=require")
    assert ("postgresql+asyncpg", "p@ss", 5433) == (url.drivername, url.password, url.port)
    assert "postgresql://?sslmode=require" == connect_arguments(url, {})["dsn"]


async def test_stale_connections_of_the_pool_are_replaced(postgres_url: str) -> None:
    async with open_engine(postgres_url, pool_size=2) as engine:
        library = await PostgresLibrary.open(engine, EmbeddingModel("tests/small", 3))
        image = await library.add(image_with(), (1.0, 0.0, 0.0))
        async with open_engine(postgres_url) as other, other.connect() as connection:
            await connection.execute(
                text("""
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            )
        assert {image.id: image} == await library.get([image.id])


async def test_statements_are_planned_for_the_values_of_their_parameters(postgres_url: str) -> None:
    async with open_engine(postgres_url) as engine, engine.connect() as connection:
        assert "force_custom_plan" == await connection.scalar(text("SHOW plan_cache_mode"))
