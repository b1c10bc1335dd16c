"""URLs of databases as libpq and hosting providers write them, translated for asyncpg."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from sqlalchemy import URL

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTING = "PICTOGRAPH_DATABASE_URL"
EXAMPLE = "postgresql://user:password@host:5432/name"
SCHEMES = {"postgres", "postgresql", "postgresql+asyncpg"}
DEFAULT_PORT = 5432
Host: TypeAlias = "tuple[str | None, int | None]"
"""A name, an address or the path of a socket's folder, and a port; None is the default."""

CONNECT_TIMEOUT_SECONDS = 10

FILES = ("passfile", "sslcert", "sslcrl", "sslkey", "sslrootcert")
PASSED_ON = (
    *FILES,
    *("krbsrvname", "gsslib", "sslmode", "sslnegotiation", "sslpassword"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
)
"""Options of libpq that asyncpg understands in a URL."""

SESSION_OPTIONS = ("application_name", "options")
"""Options that are sent to the server."""

ACCEPTED_VALUES = {
    "channel_binding": ("prefer", "disable"),
    "client_encoding": ("auto", "UTF8", "utf8", "UTF-8", "utf-8"),
    "gssdelegation": ("0",),
    "gssencmode": ("prefer", "disable"),
    "load_balance_hosts": ("disable",),
    "max_protocol_version": ("3.0", "latest"),
    "min_protocol_version": ("3.0",),
    "replication": ("false", "off", "no", "0"),
    "requiressl": ("0",),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
"""Options with the values that describe what asyncpg does anyway. Other values are refused."""

UNSUPPORTED = {
    *("hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval"),
    *("oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope", "require_auth"),
    *("requirepeer", "scram_client_key", "scram_server_key", "sslcrldir", "sslkeylogfile"),
    "tcp_user_timeout",
}
"""The other options of libpq."""

WAYS_OUT = {
    "channel_binding": "write channel_binding=prefer, and sslmode=verify-full, which verifies the "
    "server, too",
    "hostaddr": "write the address as the host",
}
WAY_OUT = "leave it out"

OTHER_NAMES = {"ssl": "sslmode", "database": "dbname", "fallback_application_name": ""}
"""Names that other drivers have for options of libpq. An empty one is ignored."""

SSL_TRUTHS = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
"""Values of ``ssl`` in URLs of JDBC and Node.js."""


def parse_url(url: str) -> URL:
    """Parse a libpq URL, also with several hosts. The query keeps libpq's options.

    Raises Misconfigured for what is no URL of PostgreSQL, and for an option that asyncpg cannot
    satisfy.
    """
    try:
        parts = urlsplit(url)
        # A user name of a provider may contain an @ that is not quoted.
        login, _, address = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        hosts = _hosts(address)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _no_url() from None
    if not parts.scheme or not (parts.netloc or parts.path):
        raise _no_url()
    if parts.scheme not in SCHEMES:
        raise Misconfigured(
            f"{SETTING} is for {parts.scheme}, and Pictograph needs PostgreSQL: write {EXAMPLE}."
        )
    given = _given(pairs)
    if "host" in given or "port" in given:
        hosts = _listed_hosts(given.pop("host", address), given.pop("port", ""))
    for name, value in given.items():
        _check(name, value)
    if len(hosts) > 1:
        # After a failover the former primary may come back as a standby, which accepts no changes.
        given.setdefault("target_session_attrs", "read-write")
    database = given.pop("dbname", unquote(parts.path[1:]))
    # SQLAlchemy's URL has one host. Several are in its query, and so is the path of a socket.
    [(host, port), *others] = hosts
    several = _options_of(hosts) if others or (host or "").startswith("/") else {}
    return URL.create(
        "postgresql+asyncpg",
        username=given.pop("user", unquote(user)) or None,
        password=given.pop("password", unquote(password)) or None,
        host=None if several else host,
        port=None if several else port,
        database=database or None,
        query=given | several,
    )


def without_secrets(url: URL) -> str:
    """Return a URL for messages: without its password and options."""
    hosts = _listed_hosts(str(url.query.get("host", "")), str(url.query.get("port", "")))
    if url.host:
        hosts = [(url.host, url.port)]
    shown = ",".join(f"{host or ''}:{port}" if port else host or "" for host, port in hosts)
    login = f"{url.username}@" if url.username else ""
    return f"postgresql://{login}{shown}/{url.database or ''}"


def connect_arguments(url: URL, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of ``asyncpg.connect`` for a URL that ``parse_url`` returned.

    ``settings`` are those of the session. The URL's own replace them.
    """
    query = {name: str(value) for name, value in url.query.items()}
    arguments: dict[str, Any] = {
        "user": url.username,
        "password": url.password,
        "database": url.database,
        "timeout": float(query.get("connect_timeout", 0)) or CONNECT_TIMEOUT_SECONDS,
        "server_settings": {
            **settings,
            **{name: query[name] for name in SESSION_OPTIONS if name in query},
        },
    }
    if url.host:
        arguments |= {"host": [url.host], "port": [url.port or DEFAULT_PORT]}
    elif "host" in query:
        hosts = _listed_hosts(query["host"], query["port"])
        arguments["host"] = [host for host, _ in hosts]
        arguments["port"] = [port or DEFAULT_PORT for _, port in hosts]
    for name in ("service", "servicefile"):
        if name in query:
            arguments[name] = query[name]
    if query.get("sslrootcert") == "system":
        arguments["ssl"] = ssl.create_default_context()
        del query["sslrootcert"]
    if passed_on := {name: query[name] for name in PASSED_ON if name in query}:
        arguments["dsn"] = f"postgresql://?{urlencode(passed_on)}"
    return arguments


def _given(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the options of a query under libpq's names; hosts that repeat are joined."""
    given: dict[str, str] = {}
    for written, value in pairs:
        name = OTHER_NAMES.get(written, written)
        if written == "ssl":
            value = SSL_TRUTHS.get(value.lower(), value)  # noqa: PLW2901 - translated
        if name == "host" and "host" in given:
            value = f"{given['host']},{value}"  # noqa: PLW2901 - joined
        if name:
            given[name] = value
    return given


def _check(name: str, value: str) -> None:
    """Raise Misconfigured for an option that cannot be satisfied."""
    if name in ACCEPTED_VALUES and value not in ACCEPTED_VALUES[name]:
        raise Misconfigured(
            f"The option {name}={value} of {SETTING} is not supported: "
            f"{WAYS_OUT.get(name, WAY_OUT)}."
        )
    if name in UNSUPPORTED:
        raise Misconfigured(
            f"The option {name} of {SETTING} is not supported: {WAYS_OUT.get(name, WAY_OUT)}."
        )
    if name in FILES and (name, value) != ("sslrootcert", "system") and not Path(value).is_file():
        raise Misconfigured(f"There is no file {value}, which {name} of {SETTING} names.")
    if name == "connect_timeout" and not value.isdecimal():
        raise Misconfigured(f"connect_timeout of {SETTING} is not a number of seconds: {value}.")
    known = {*PASSED_ON, *SESSION_OPTIONS, *ACCEPTED_VALUES, "connect_timeout"}
    if name not in known | {"service", "servicefile", "dbname", "user", "password"}:
        raise Misconfigured(f"The option {name} of {SETTING} is not known: {WAY_OUT}.")


def _hosts(address: str) -> list[Host]:
    """Return the hosts of a URL with their ports. Raises ValueError."""
    return [_host(each) for each in address.split(",")]


def _host(written: str) -> Host:
    host, port = written, ""
    if written.startswith("["):
        host, _, port = written[1:].partition("]")
        port = port.removeprefix(":")
    elif not written.startswith("/") and written.count(":") == 1:
        host, _, port = written.partition(":")
    return unquote(host) or None, int(port) if port else None


def _options_of(hosts: Sequence[Host]) -> dict[str, str]:
    """Return hosts as libpq's options."""
    return {
        "host": ",".join(host or "" for host, _ in hosts),
        "port": ",".join(str(port or DEFAULT_PORT) for _, port in hosts),
    }


def _listed_hosts(hosts: str, ports: str) -> list[Host]:
    """Return the hosts of the options ``host`` and ``port``. Raises Misconfigured."""
    try:
        listed = _hosts(hosts)
        numbers = [int(port) if port else None for port in ports.split(",")]
    except ValueError:
        raise _no_url() from None
    if len(numbers) == 1:
        numbers *= len(listed)
    if len(numbers) != len(listed):
        raise Misconfigured(f"{SETTING} has {len(listed)} hosts and {len(numbers)} ports.")
    return [
        (host, written or number) for (host, written), number in zip(listed, numbers, strict=True)
    ]


def _no_url() -> Misconfigured:
    return Misconfigured(f"{SETTING} is not a URL: write {EXAMPLE}.")
