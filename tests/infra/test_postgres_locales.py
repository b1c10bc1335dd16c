"""Databases of any locale and encoding: words are found, or the database is refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.filters import ImageFilter
from domain.entities.listing import Sort, Window
from domain.errors import Misconfigured
from infra.postgres.catalog.catalog import PostgresCatalog
from infra.postgres.engine import open_engine
from infra.postgres.migrate import alembic_config, upgrade
from tests.databases import connected, url_of
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

LOCALES = {
    "C": "LOCALE_PROVIDER libc LOCALE 'C' ENCODING 'UTF8'",
    "C.UTF-8": "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C' ENCODING 'UTF8'",
}
FILES = (
    "Zürich See.jpg",
    "CAFÉ.jpg",
    "Привет мир.jpg",
    "東京タワー.jpg",
    "IMG_0001.JPG",
    "rich.png",
)
FOUND = {
    "Zürich": "Zürich See.jpg",
    "ZÜRICH see": "Zürich See.jpg",
    "café": "CAFÉ.jpg",
    "привет": "Привет мир.jpg",
    "東京タワー": "東京タワー.jpg",
    "img": "IMG_0001.JPG",
    "0001 -café": "IMG_0001.JPG",
    "rich": "rich.png",
}


@asynccontextmanager
async def database(server: str, options: str) -> AsyncIterator[str]:
    """Create a database with these options, and yield its URL."""
    name = f"locale_{uuid4().hex}"
    async with connected(server) as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        yield url_of(server, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def found(engine: AsyncEngine) -> dict[str, str]:
    library = PostgresCatalog(engine)
    names = {}
    for words in FOUND:
        page = await library.list(ImageFilter(keywords=words), Sort(), Window(10))
        names[words] = ", ".join(image.filename for image in page.images)
    return names


async def fill(engine: AsyncEngine) -> None:
    library = await PostgresLibrary.open(engine, EmbeddingModel("model", 3))
    for name in FILES:
        await library.add(image_with(filename=name), (1.0, 0.0, 0.0))


@pytest.mark.parametrize("locale", LOCALES)
async def test_words_of_every_script_are_found(postgres_server: str, locale: str) -> None:
    async with database(postgres_server, LOCALES[locale]) as url, open_engine(url) as engine:
        await upgrade(engine)
        await fill(engine)
        assert FOUND == await found(engine)


async def test_images_that_an_earlier_version_indexed_are_indexed_again(
    postgres_server: str,
) -> None:
    def migrate(connection: Connection, revision: str) -> None:
        config = alembic_config(connection)
        (command.downgrade if revision == "0012" else command.upgrade)(config, revision)

    async with database(postgres_server, LOCALES["C"]) as url, open_engine(url) as engine:
        await upgrade(engine)
        await fill(engine)
        async with engine.begin() as connection:
            await connection.run_sync(migrate, "0012")
            # The words are computed again, by the function of that version.
            await connection.execute(text("UPDATE images SET filename = filename"))
            query = "SELECT count(*) FROM images WHERE words @@ to_tsquery('simple', 'привет')"
            assert 0 == await connection.scalar(text(query))
            await connection.run_sync(migrate, "head")
        assert FOUND == await found(engine)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_store_every_name_is_refused(
    postgres_server: str, encoding: str
) -> None:
    options = f"LOCALE_PROVIDER libc LOCALE 'C' ENCODING '{encoding}'"
    sentence = f"has the encoding {encoding}.*ENCODING 'UTF8'"
    async with database(postgres_server, options) as url:
        with pytest.raises(Misconfigured, match=sentence):
            async with open_engine(url):
                pass
