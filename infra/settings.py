"""The settings, read from environment variables that begin with PICTOGRAPH_."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import zoneinfo
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import idna
from pydantic import (
    AfterValidator,
    Field,
    HttpUrl,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.entities.faults import DEFAULT_SCRUB_LIFETIME
from domain.entities.trash import DEFAULT_TRASH_LIFETIME
from domain.errors import Misconfigured
from infra.data_folder import default_data_folder
from infra.setting_errors import sentence_for

ENV_PREFIX = "PICTOGRAPH_"
FILE_SUFFIX = "_FILE"
MEBIBYTE = 1 << 20
MAX_INT = 2**31 - 1
"""The largest Int of GraphQL, which tells clients these limits."""


DEFAULT_PORTS = {"http": "80", "https": "443"}

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s:/?#@*\[\]]+)(?::([0-9]{1,5}))?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _parse_origin(origin: str) -> str:
    """Return an origin as browsers send it: lower case, in ASCII, without a default port.

    Apps have schemes of their own, as capacitor://localhost.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    if not match:
        message = f"“{origin}” is no origin; write it as https://app.example.org"
        raise ValueError(message)
    scheme, name, port = match.groups()
    suffix = f":{int(port)}" if port and port != DEFAULT_PORTS.get(scheme) else ""
    return f"{scheme}://{_ascii_name(name)}{suffix}"


def _parse_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        message = f"“{name}” is no name of a header; write it as X-Client-Name"
        raise ValueError(message)
    return name


def _parse_host(host: str) -> str:
    """Return a host as browsers send it. A leading ``*.`` stays."""
    name = host.removeprefix("*.")
    if not name or set(name) & set("/:*?# "):
        message = f"“{host}” is no host; write a name without port, as pictures.example.org"
        raise ValueError(message)
    return host.removesuffix(name) + _ascii_name(name)


def _parse_network(network: str) -> str:
    try:
        ipaddress.ip_network(network)
    except ValueError:
        message = f"“{network}” is no address or network; write it as 10.0.0.5 or 10.0.0.0/8"
        raise ValueError(message) from None
    return network


def _ascii_name(name: str) -> str:
    """Return a name in lower case; one in another script in Punycode (UTS 46)."""
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        message = f"“{name}” is no name of a host: {error}"
        raise ValueError(message) from None


def _parse_time_zone(name: str | None) -> str | None:
    if name is not None and name not in zoneinfo.available_timezones():
        message = f"“{name}” is no time zone; write it as Europe/Berlin"
        raise ValueError(message)
    return name


class Settings(BaseSettings):
    """The settings of one process, built once and passed down in parts."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: HttpUrl | None = Field(
        None, description="Base URL of image links; unset, the host of the request."
    )
    allowed_hosts: Annotated[tuple[Annotated[str, AfterValidator(_parse_host)], ...], NoDecode] = (
        Field(
            (),
            description="More hosts to answer for, separated by commas; `*.lan` for all below it.",
        )
    )
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_parse_origin)], ...], NoDecode] = (
        Field((), description="CORS origins that may send requests, separated by commas.")
    )
    cors_headers: Annotated[
        tuple[Annotated[str, AfterValidator(_parse_header_name)], ...], NoDecode
    ] = Field(
        (),
        description="More headers that pages of these origins may send, separated by commas.",
    )
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_parse_network)], ...], NoDecode
    ] = Field(
        (),
        description="Addresses or networks of proxies whose `X-Forwarded-Proto` and `-Prefix` "
        "count, separated by commas; unset, this machine.",
    )
    api_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="An API key with every scope, in addition to those in the database.",
    )
    public_reading: bool = Field(
        default=True, description="Whether reading needs no key. Changes always need one."
    )

    data_dir: Path = Field(
        default_factory=default_data_folder,
        description="Folder of the embedded PostgreSQL and of files; unset, the user's own.",
    )
    database_url: SecretStr | None = Field(
        None, description="`postgresql://user:password@host/name`; unset, an embedded PostgreSQL."
    )
    database_password: SecretStr | None = Field(
        None, description="Password of the database; unset, the one in the URL, if any."
    )
    database_pool_size: PositiveInt = Field(
        10, description="Most connections to the database for requests."
    )
    database_wait_seconds: PositiveFloat = Field(
        5.0, description="Longest wait of a request for such a connection."
    )
    database_statement_seconds: PositiveFloat = Field(
        30.0, description="Longest time of one statement of a request."
    )

    s3_bucket: str | None = Field(None, description="Bucket for files; unset, a folder.")
    s3_prefix: str = Field("", description="Prefix of the keys in the bucket.")
    s3_endpoint_url: HttpUrl | None = Field(
        None, description="Address of an S3-compatible store; unset, AWS."
    )
    s3_public_endpoint_url: HttpUrl | None = Field(
        None, description="Address of that store for browsers, if it differs."
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key_id: str | None = Field(
        None, description="Access key; unset, the AWS credential chain."
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret of the access key.")
    s3_call_seconds: PositiveFloat = Field(
        30.0, description="Longest time of one call to the store, retries included."
    )

    model: str = Field(
        "openai/clip-vit-base-patch32",
        description="Name on the hub, or folder, of a CLIP or SigLIP model.",
    )
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        description="What runs the model: `openvino` on CPUs, else `torch`; `auto` chooses.",
    )
    model_cache: Path | None = Field(
        None,
        description="Folder of converted models; unset, `pictograph` in the user's cache.",
    )
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, ...")
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        "auto",
        description="Precision of the model: `auto`, `float32`, `bfloat16`, `float16`, `int8`.",
    )
    torch_threads: NonNegativeInt = Field(
        0, description="Threads of a forward pass; 0 leaves it to the engine."
    )
    encoder_queue: PositiveInt = Field(
        256, description="Texts and pictures that may wait for the model; more are refused."
    )

    max_upload_bytes: PositiveInt = Field(
        50 * MEBIBYTE, le=MAX_INT, description="Most bytes of a picture's file."
    )
    max_files_per_request: PositiveInt = Field(
        20, le=MAX_INT, description="Most files of one request."
    )
    max_request_bytes: PositiveInt = Field(
        256 * MEBIBYTE, description="Most bytes of one request, its files together."
    )
    max_connections: PositiveInt = Field(
        1_000, description="Most connections of clients; more requests get 503."
    )
    min_bytes_per_second: PositiveInt = Field(
        4096, description="Slowest rate of a body; slower clients are cut after half a minute."
    )
    operation_seconds: PositiveFloat = Field(
        300.0, description="Longest time that one operation may take."
    )
    drain_seconds: NonNegativeFloat = Field(
        2.0, description="How long a server still answers after SIGTERM while it is not ready."
    )
    max_pixels: PositiveInt = Field(
        120_000_000,
        description="Most pixels of a picture; of a JPEG, after its decoder has reduced it.",
    )
    max_frames: PositiveInt = Field(1_000, description="Most frames of an animation.")
    timezone: Annotated[str | None, AfterValidator(_parse_time_zone)] = Field(
        None,
        description="Time zone of pictures that tell neither offset nor place, as Europe/Berlin.",
    )
    embedded_descriptions: bool = Field(
        default=True,
        description="Whether captions, ratings and keywords of files become theirs in the library.",
    )
    decode_seconds: PositiveFloat = Field(
        8.0, description="Longest CPU time that decoding one picture may take."
    )
    decode_memory_bytes: PositiveInt = Field(
        1536 * MEBIBYTE, description="Most memory of a process that decodes."
    )
    decode_workers: PositiveInt = Field(2, description="Processes that decode.")

    trash_days: int = Field(
        DEFAULT_TRASH_LIFETIME.days,
        ge=0,
        le=36_500,
        description="Days that deleted pictures can be restored; 0 deletes them at once.",
    )

    scrub_days: int = Field(
        DEFAULT_SCRUB_LIFETIME.days,
        ge=0,
        le=36_500,
        description="Days after which servers read each original again to check it; 0: never.",
    )

    worker: bool = Field(
        default=True, description="Whether `serve` also runs the jobs of the work queue."
    )

    import_grace_days: NonNegativeFloat = Field(
        30.0,
        description="Days that an imported image stays in the trash after its last file vanished.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged."
    )

    @field_validator(
        "allowed_hosts", "cors_origins", "cors_headers", "trusted_proxies", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether other machines can reach the server."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def trash_lifetime(self) -> timedelta:
        """How long deleted pictures can be restored."""
        return timedelta(days=self.trash_days)

    @property
    def scrub_lifetime(self) -> timedelta:
        """After which time an original is read again."""
        return timedelta(days=self.scrub_days)

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names that the server answers for: the one it listens on, and those that are set."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return (self.host, *self.allowed_hosts)
        return self.allowed_hosts

    @property
    def proxies(self) -> tuple[str, ...]:
        """The trusted proxies: those that are set, here or for uvicorn, or this machine."""
        of_uvicorn = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
        return self.trusted_proxies or tuple(part.strip() for part in of_uvicorn.split(","))

    @property
    def summary(self) -> str:
        """The server's address, and the names of the settings in effect, without their values."""
        names = sorted(ENV_PREFIX + name.upper() for name in self.model_fields_set)
        reading = "needs no key" if self.public_reading else "needs a key"
        return (
            f"The server will listen on {self.host}, port {self.port}; reading {reading}. "
            f"Set: {', '.join(names) or 'nothing'}."
        )


def read_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - each setting has its own type
    """Read the environment. Raises Misconfigured with the name of the invalid variable.

    ``NAME_FILE`` is the path of a file that has the value of ``NAME``, as containers mount secrets.
    """
    known = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    given: dict[str, Any] = {}
    for name in os.environ:
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        variable = name.removesuffix(FILE_SUFFIX)
        if variable not in known:
            [nearest] = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise Misconfigured(f"{name} is no setting. Did you mean {nearest}?")
        if os.environ[name]:
            given[variable.removeprefix(ENV_PREFIX).lower()] = _read_value(name, variable)
    try:
        return Settings(**given | overrides)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        variable = ENV_PREFIX + field.upper()
        name = f"{variable}{FILE_SUFFIX}" if field in given else variable
        is_secret = "SecretStr" in str(Settings.model_fields[field].annotation)
        raise Misconfigured(sentence_for(name, first, is_secret=is_secret)) from None


def _read_value(name: str, variable: str) -> str:
    """Return the contents of the file that a variable names. Raises Misconfigured."""
    if os.environ.get(variable):
        raise Misconfigured(f"Both {variable} and {name} are set; keep one of them.")
    try:
        return Path(os.environ[name]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise Misconfigured(
            f"{name} names the file {os.environ[name]}, which cannot be read ({reason}): write the "
            f"value into it, or set {variable}."
        ) from None
