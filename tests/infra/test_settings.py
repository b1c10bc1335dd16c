"""Reading settings from the environment, and their table in the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.errors import Misconfigured
from infra.settings import ENV_PREFIX, Settings, read_settings

README = Path(__file__).parents[2] / "README.md"
ROW = re.compile(rf"^\| `{ENV_PREFIX}(\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)


def test_the_readme_lists_every_setting_with_its_default_and_description() -> None:
    documented = {
        name.lower(): (default, description)
        for name, default, description in ROW.findall(README.read_text())
    }
    assert documented == {
        name: ("" if field.default_factory else _as_variable(field.default), field.description)
        for name, field in Settings.model_fields.items()
    }


def _as_variable(default: object) -> str:
    """Return a default as the value of an environment variable."""
    if default in (None, "", ()):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_defaults_run_a_local_server() -> None:
    settings = read_settings()
    assert ("127.0.0.1", 8000) == (settings.host, settings.port)
    assert not settings.listens_beyond_loopback
    assert settings.database_url is None
    assert settings.s3_bucket is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_addresses_are_reached_from_this_machine_only(host: str) -> None:
    assert not read_settings(host=host).listens_beyond_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "pictures.example.org"])  # noqa: S104
def test_other_addresses_are_reached_from_other_machines(host: str) -> None:
    assert read_settings(host=host).listens_beyond_loopback


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTOGRAPH_CORS_ORIGINS", "https://App.example.org, http://localhost:5173,")
    assert ("https://app.example.org", "http://localhost:5173") == read_settings().cors_origins


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("capacitor://localhost", "capacitor://localhost"),
        ("Tauri://localhost", "tauri://localhost"),
        ("https://app.example.org:443", "https://app.example.org"),
        ("http://app.example.org:80", "http://app.example.org"),
        ("https://app.example.org:8443", "https://app.example.org:8443"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://写真.example:444", "https://xn--g7qs82g.example:444"),
    ],
)
def test_origins_are_compared_as_browsers_send_them(written: str, sent: str) -> None:
    assert (sent,) == read_settings(cors_origins=written).cors_origins


def test_hosts_in_other_scripts_are_compared_as_browsers_send_them() -> None:
    settings = read_settings(allowed_hosts="Bücher.example,*.写真.example")
    assert ("xn--bcher-kva.example", "*.xn--g7qs82g.example") == settings.allowed_hosts


def test_the_proxies_of_this_machine_are_trusted_unless_others_are_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert ("127.0.0.1", "::1") == read_settings().proxies
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.1")
    assert ("10.0.0.1",) == read_settings().proxies
    assert ("10.0.0.0/8", "::1") == read_settings(trusted_proxies="10.0.0.0/8, ::1").proxies


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTOGRAPH_S3_BUCKET", "")
    assert read_settings().s3_bucket is None


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("PORT", "abc", "PICTOGRAPH_PORT cannot be used: “abc” is no whole number, such as 8000."),
        ("PORT", "99999", "“99999” is too large; at most 65535 is accepted."),
        ("PORT", "-1", "“-1” is too small; at least 0 is accepted."),
        ("DECODE_SECONDS", "0", "“0” is too small; a number above 0 is accepted."),
        ("DECODE_SECONDS", "x", "“x” is no number, such as 2.5."),
        ("PUBLIC_READING", "maybe", "“maybe” is neither true nor false."),
        ("ENGINE", "jax", "“jax” is not one of 'auto', 'openvino' or 'torch'."),
        ("PUBLIC_URL", "host", "“host” is no URL; write it as http://host:port or https://host."),
        ("CORS_ORIGINS", "*", "“*” is no origin; write it as https://app.example.org."),
        ("CORS_ORIGINS", "https://a.org/", "“https://a.org/” is no origin"),
        ("CORS_ORIGINS", "app.example.org", "“app.example.org” is no origin"),
        ("CORS_ORIGINS", "https://a..ü.org", "“a..ü.org” is no name of a host"),
        ("CORS_HEADERS", "X Mine", "“X Mine” is no name of a header"),
        ("TRUSTED_PROXIES", "nginx", "“nginx” is no address or network"),
        ("DATABASE_URI", "x", "_URI is no setting. Did you mean PICTOGRAPH_DATABASE_URL?"),
        ("API_KEY", "short", "_API_KEY cannot be used: it has 5 characters, and at least 16 are "),
    ],
)
def test_an_invalid_variable_is_reported_with_a_correction(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_PREFIX + variable, value)
    with pytest.raises(Misconfigured, match=re.escape(sentence)):
        read_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTOGRAPH_API_KEY", "a-very-secret-key")
    assert "very-secret" not in repr(read_settings())


def test_hosts_are_names_without_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTOGRAPH_ALLOWED_HOSTS", "Pictures.example.org, *.lan")
    assert ("pictures.example.org", "*.lan") == read_settings().allowed_hosts
    monkeypatch.setenv("PICTOGRAPH_ALLOWED_HOSTS", "https://pictures.example.org")
    with pytest.raises(Misconfigured, match=r"PICTOGRAPH_ALLOWED_HOSTS .* without port"):
        read_settings()


def test_a_server_answers_for_the_name_that_it_listens_on() -> None:
    assert () == read_settings(host="192.168.1.2").host_names
    assert ("nas", "server") == read_settings(host="nas", allowed_hosts="server").host_names


@pytest.mark.parametrize("name", ["max_upload_bytes", "max_files_per_request"])
def test_a_limit_that_clients_could_not_be_told_is_refused(name: str) -> None:
    assert getattr(read_settings(**{name: 2**31 - 1}), name) == 2**31 - 1
    with pytest.raises(Misconfigured, match=f"PICTOGRAPH_{name.upper()} .* 2147483647"):
        read_settings(**{name: 2**31})


def test_a_file_can_have_the_value_of_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "key"
    secret.write_text("a-very-secret-key\n")
    monkeypatch.setenv("PICTOGRAPH_API_KEY_FILE", str(secret))
    key = read_settings().api_key
    assert key
    assert "a-very-secret-key" == key.get_secret_value()

    secret.write_text("short")
    with pytest.raises(Misconfigured, match=r"PICTOGRAPH_API_KEY_FILE .* has 5 characters"):
        read_settings()
    secret.unlink()
    with pytest.raises(Misconfigured, match=r"names the file .*key, which cannot be read"):
        read_settings()
    monkeypatch.setenv("PICTOGRAPH_API_KEY", "another-long-key")
    with pytest.raises(Misconfigured, match="Both PICTOGRAPH_API_KEY and PICTOGRAPH_API_KEY_FILE"):
        read_settings()
    monkeypatch.setenv("PICTOGRAPH_NO_KEY_FILE", "x")
    monkeypatch.delenv("PICTOGRAPH_API_KEY_FILE")
    with pytest.raises(Misconfigured, match="PICTOGRAPH_NO_KEY_FILE is no setting"):
        read_settings()


def test_an_invalid_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTOGRAPH_API_KEY", "sesame")
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert "sesame" not in refused.value.message
