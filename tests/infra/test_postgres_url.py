"""URLs of databases: libpq's options are translated for asyncpg, or refused by name."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from asyncpg.connect_utils import (  # type: ignore[import-untyped] # it ships no types
    _parse_connect_dsn_and_args,
)
from sqlalchemy import text

from domain.errors import Misconfigured
from infra.postgres.engine import open_engine
from infra.postgres.url import (
    ACCEPTED_VALUES,
    PASSED_ON,
    SESSION_OPTIONS,
    UNSUPPORTED,
    connect_arguments,
    parse_url,
    without_secrets,
)

if TYPE_CHECKING:
    from pathlib import Path

# Table 32.1.2, "Parameter Key Words", of PostgreSQL 18's manual.
LIBPQ_OPTIONS = set(
    re.findall(
        r"\w+",
        """
    host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout
    client_encoding options application_name fallback_application_name keepalives keepalives_idle
    keepalives_interval keepalives_count tcp_user_timeout replication gssencmode sslmode requiressl
    sslnegotiation sslcompression sslcert sslkey sslkeylogfile sslpassword sslcertmode sslrootcert
    sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version
    min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation scram_client_key
    scram_server_key service servicefile target_session_attrs load_balance_hosts oauth_issuer
    oauth_client_id oauth_client_secret oauth_scope
""",
    )
)


def resolved(url: str) -> tuple[Any, Any]:
    """Return the addresses and the parameters with which asyncpg would connect."""
    arguments = connect_arguments(parse_url(url), {"jit": "off"})
    del arguments["timeout"]
    names = ("dsn", "host", "port", "user", "password", "passfile", "database", "ssl", "service")
    others = ("servicefile", "direct_tls", "server_settings", "target_session_attrs")
    defaults = dict.fromkeys((*names, *others, "krbsrvname", "gsslib"))
    return _parse_connect_dsn_and_args(**(defaults | arguments))  # type: ignore[no-any-return]


def test_every_option_of_libpq_is_translated_or_refused() -> None:
    parts = {"host", "port", "dbname", "user", "password", "connect_timeout", "service"}
    known = {*parts, "servicefile", "fallback_application_name", *PASSED_ON, *SESSION_OPTIONS}
    assert LIBPQ_OPTIONS == known | set(ACCEPTED_VALUES) | UNSUPPORTED


def test_a_url_as_a_host_prints_it_is_understood() -> None:
    url = (
        "postgresql://neon%40owner:p%2Fw@ep-x.eu.aws.neon.tech/photos?sslmode=require"
        "&channel_binding=prefer&connect_timeout=7&application_name=photos"
        "&options=-c%20search_path%3Dpublic"
    )
    [address], parameters = resolved(url)
    assert ("ep-x.eu.aws.neon.tech", 5432) == address
    assert ("neon@owner", "p/w", "photos") == (
        parameters.user,
        parameters.password,
        parameters.database,
    )
    assert {"jit": "off", "application_name": "photos", "options": "-c search_path=public"} == (
        parameters.server_settings
    )
    assert isinstance(parameters.ssl, ssl.SSLContext)
    assert 7 == connect_arguments(parse_url(url), {})["timeout"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@one:5432,two:5433/db",
        "postgresql://u:p@/db?host=one,two&port=5432,5433",
        "postgresql+asyncpg://u:p@/db?host=one:5432&host=two:5433",
    ],
)
def test_several_hosts_are_tried_for_one_that_accepts_changes(url: str) -> None:
    addresses, parameters = resolved(url)
    assert [("one", 5432), ("two", 5433)] == addresses
    assert "read-write" == parameters.target_session_attrs.value
    _, parameters = resolved(f"{url}{'&' if '?' in url else '?'}target_session_attrs=any")
    assert "any" == parameters.target_session_attrs.value


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql://[2001:db8::1]:6000/db", ("2001:db8::1", 6000)),
        ("postgresql:///db?host=2001:db8::1", ("2001:db8::1", 5432)),
        ("postgresql:///db?host=/run/pg&port=6000", "/run/pg/.s.PGSQL.6000"),
        ("postgresql://%2Frun%2Fpg/db", "/run/pg/.s.PGSQL.5432"),
    ],
)
def test_addresses_and_sockets_are_hosts(url: str, address: object) -> None:
    assert [address] == resolved(url)[0]


def test_a_certificate_of_the_system_verifies_the_server() -> None:
    context = resolved("postgresql://host/db?sslmode=verify-full&sslrootcert=system")[1].ssl
    assert (True, ssl.CERT_REQUIRED) == (context.check_hostname, context.verify_mode)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("pgbouncer=true", "The option pgbouncer of PICTOGRAPH_DATABASE_URL is not known: leave"),
        ("channel_binding=require", "channel_binding=require of PICTOGRAPH_DATABASE_URL is not"),
        ("hostaddr=10.0.0.1", "hostaddr of PICTOGRAPH_DATABASE_URL is not supported: write the"),
        ("keepalives_idle=30", "keepalives_idle of PICTOGRAPH_DATABASE_URL is not supported: lea"),
        ("connect_timeout=soon", "connect_timeout of PICTOGRAPH_DATABASE_URL is not a number"),
        ("sslrootcert=/none/ca.pem", "There is no file /none/ca.pem, which sslrootcert of"),
        ("host=a,b&port=1,2,3", "has 2 hosts and 3 ports"),
    ],
)
def test_an_option_that_cannot_be_satisfied_is_refused_by_name(option: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(sentence)):
        parse_url(f"postgresql://u:p@host/db?{option}")


def test_messages_show_neither_passwords_nor_options(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    url = parse_url(f"postgresql://u:secret@a,b/db?sslkey={key}&sslpassword=secret")
    shown = without_secrets(url)
    assert "secret" not in shown
    assert "postgresql://u@a:5432,b:5432/db" == shown


@pytest.mark.parametrize(
    "option",
    ["channel_binding=prefer", "connect_timeout=10", "application_name=photos", "sslmode=prefer"],
)
async def test_a_server_is_reached_with_options_of_libpq(postgres_url: str, option: str) -> None:
    async with open_engine(f"{postgres_url}&{option}") as engine, engine.connect() as connection:
        name = await connection.scalar(text("SHOW application_name"))
    assert ("photos" if "photos" in option else "pictograph") == name


async def test_pgvector_outside_the_search_path_is_refused_with_the_way_out(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine, engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA extensions"))
        await connection.execute(text("ALTER EXTENSION vector SET SCHEMA extensions"))
    with pytest.raises(Misconfigured, match="is in the schema extensions, which is not on the"):
        async with open_engine(postgres_url):
            pass
    path = "options=-csearch_path%3Dpublic,extensions"
    async with open_engine(f"{postgres_url}&{path}") as engine, engine.connect() as connection:
        assert 0 == await connection.scalar(text("SELECT count(*) FROM embeddings"))
