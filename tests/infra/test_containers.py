"""What the Dockerfile and docker-compose.yml promise, as far as no container is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml  # type: ignore[import-untyped]  # it brings no types
from typer.core import TyperGroup

from infra.settings import ENV_PREFIX, FILE_SUFFIX, Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()

OWN_SERVICES = ("server", "worker", "sweep", "migrate")
"""The services of compose that run Pictograph."""

Instruction = tuple[str, str]
Tree = dict[str, Any]  # YAML knows no better


def _stages() -> list[list[Instruction]]:
    """Return the instructions before the first stage, and those of each stage.

    Continued lines are joined, and comments are left out.
    """
    kept = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    stages: list[list[Instruction]] = [[]]
    for line in "\n".join(kept).replace("\\\n", " ").splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            stages.append([])
        stages[-1].append((keyword, " ".join(rest.split()) if keyword != "CMD" else rest))
    return stages


def _all_of(stage: list[Instruction], wanted: str) -> list[str]:
    return [rest for keyword, rest in stage if keyword == wanted]


def _healthcheck() -> list[str]:
    [check] = _all_of(_stages()[-1], "HEALTHCHECK")
    command: list[str] = json.loads(check.partition(" CMD ")[2])
    return command


def _image_environment() -> dict[str, str]:
    [assignments] = _all_of(_stages()[-1], "ENV")
    return dict(pair.split("=", 1) for pair in assignments.split())


def _services() -> dict[str, Tree]:
    services: dict[str, Tree] = yaml.safe_load(COMPOSE)["services"]
    return services


def _re_included() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


@contextmanager
def _answering(status: int) -> Iterator[int]:
    """Answer /healthz with a status, and everything else with 200; give the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _check_health(port: int) -> int:
    [python, *arguments] = _healthcheck()
    assert python == "python"
    environment = {
        **os.environ,
        "PICTOGRAPH_PORT": str(port),
        # A proxy for what lies outside must not be asked about the inside.
        "http_proxy": "http://127.0.0.1:9",
    }
    finished = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, check=False
    )
    return finished.returncode


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1), (500, 1), (404, 1)])
def test_the_healthcheck_agrees_with_healthz(status: int, expected: int) -> None:
    with _answering(status) as port:
        assert expected == _check_health(port)


def test_the_healthcheck_fails_where_nothing_listens() -> None:
    with _answering(200) as port:
        pass
    assert _check_health(port) == 1


def test_the_healthcheck_asks_the_default_port_where_none_is_set() -> None:
    assert f"or {Settings.model_fields['port'].default})" in _healthcheck()[-1]
    assert [str(Settings.model_fields["port"].default)] == _all_of(_stages()[-1], "EXPOSE")


def test_every_variable_that_containers_set_is_a_setting() -> None:
    named = set(re.findall(rf"{ENV_PREFIX}[A-Z0-9_]+", DOCKERFILE + COMPOSE))
    assert named
    names = {name.removesuffix(FILE_SUFFIX) for name in named}
    assert set() == names - {ENV_PREFIX + name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("service", OWN_SERVICES)
def test_the_settings_of_a_container_are_accepted(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    given = {**_image_environment(), **_services()[service]["environment"]}
    for name, value in given.items():
        if name.startswith(ENV_PREFIX) and value is not None:
            monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "16-characters-or-more", value))
        if name.endswith(FILE_SUFFIX):
            folder, _, secret = value.rpartition("/")
            assert ("/run/secrets", True) == (folder, secret in _services()[service]["secrets"])
            (tmp_path / secret).write_text("16-characters-or-more\n")
            monkeypatch.setenv(name, str(tmp_path / secret))
    settings = read_settings()
    assert settings.database_url
    assert settings.database_password
    assert settings.s3_bucket
    assert (service == "server") == (settings.api_key is not None)
    # A server that other machines reach needs a key.
    assert settings.listens_beyond_loopback or service == "worker"


def test_the_commands_of_containers_are_commands_of_pictograph() -> None:
    from pictograph.cli.main import cli  # noqa: PLC0415 - needs every use case, which other tests here do not

    [of_the_image] = _all_of(_stages()[-1], "CMD")
    group = typer.main.get_command(cli)
    assert isinstance(group, TyperGroup)
    own = [_services()[name]["command"] for name in ("migrate", "worker")]
    for command in (json.loads(of_the_image), *own):
        program, name, *options = command
        assert program == "pictograph"
        # Parses the options, and refuses those that are none, without running anything.
        group.commands[name].make_context(name, options)


def test_the_image_runs_as_an_unprivileged_user() -> None:
    [user] = _all_of(_stages()[-1], "USER")
    assert user == "10001:10001"
    keywords = [keyword for keyword, _ in _stages()[-1]]
    assert "RUN" not in keywords[keywords.index("USER") :]


def test_the_program_passes_to_the_last_stage_after_what_changes_rarely() -> None:
    bases = [_all_of(stage, "FROM") for stage in _stages()[1:]]
    assert [
        ["${NODE_IMAGE} AS node"],
        ["${PYTHON_IMAGE} AS dependencies"],
        ["dependencies AS build"],
        ["${PYTHON_IMAGE}"],
    ] == bases
    copied = ["--from=dependencies /venv /venv", "--from=build /app /app"]
    assert copied == _all_of(_stages()[-1], "COPY")
    assert ["pyproject.toml constraints.txt ./"] == _all_of(_stages()[2], "COPY")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"TORCH": "cpu", "TORCH_INDEX_URL": ""}, 1),
        ({"TORCH": "cpu", "TORCH_INDEX_URL": "x"}, 0),
        ({"TORCH": "cuda", "TORCH_INDEX_URL": ""}, 0),
    ],
)
def test_cuda_is_installed_only_where_it_is_asked_for(
    arguments: dict[str, str], status: int
) -> None:
    check = _all_of(_stages()[2], "RUN")[0]
    done = subprocess.run(
        ["/bin/sh", "-c", check],
        env=arguments,
        capture_output=True,
        text=True,
        check=False,
    )
    assert status == done.returncode
    assert ("Set the build argument TORCH_INDEX_URL" in done.stderr) == bool(status)


def test_what_the_image_is_made_of_is_in_the_repository() -> None:
    copied = [
        source
        for stage in _stages()[1:]
        for sources in _all_of(stage, "COPY")
        if not sources.startswith("--from=")
        for source in sources.split()[:-1]
    ]
    assert "." in copied
    assert [] == [path for path in {*copied, *_re_included()} if not (ROOT / path).exists()]
    assert set() == set(copied) - {".", *_re_included()}


def test_every_module_of_the_distribution_gets_into_the_image() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    roots = {package.rstrip("*") for package in listed["packages"]["find"]["include"]}
    assert set() == roots - set(_re_included())


def test_the_first_layer_installs_what_the_project_depends_on() -> None:
    [line] = [run for run in _all_of(_stages()[2], "RUN") if "tomllib" in run]
    code = line.partition("'")[2].partition("'")[0]
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == printed.splitlines()


def test_the_server_waits_for_its_tables_and_they_for_database_and_store() -> None:
    healthy = {"condition": "service_healthy"}
    done = {"condition": "service_completed_successfully"}
    services = _services()
    assert {"postgres": healthy, "store": healthy} == services["migrate"]["depends_on"]
    expected = {"migrate": done, "postgres": healthy, "store": healthy}
    for name in ("server", "worker", "sweep"):
        assert expected == services[name]["depends_on"]
    for name in ("postgres", "store"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"


def test_only_the_server_is_published_and_only_to_this_machine() -> None:
    published = {name: service.get("ports", []) for name, service in _services().items()}
    assert ["127.0.0.1:8000:8000"] == published.pop("server")
    assert [] == [name for name, ports in published.items() if ports]


def test_secrets_are_files_and_no_variables() -> None:
    variables = {
        name: value
        for service in _services().values()
        for name, value in service.get("environment", {}).items()
        if re.search(r"PASSWORD|SECRET|API_KEY$|API_KEY_FILE", name)
    }
    assert {"POSTGRES_PASSWORD_FILE", "PICTOGRAPH_API_KEY_FILE"} < set(variables)
    for name, value in variables.items():
        assert name.endswith(FILE_SUFFIX), name
        assert value.startswith("/run/secrets/"), name
    for name, secret in yaml.safe_load(COMPOSE)["secrets"].items():
        assert f"${{SECRETS:-./secrets}}/{name}" == secret["file"]


def test_containers_are_read_only_and_have_limits() -> None:
    for name, service in _services().items():
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert ["no-new-privileges:true"] == service["security_opt"]
        if name in OWN_SERVICES:
            assert (True, ["/tmp"], ["ALL"]) == (  # noqa: S108 - in the container
                service["read_only"],
                service["tmpfs"],
                service["cap_drop"],
            )


def test_data_is_kept_in_named_volumes() -> None:
    mounts = [mount for service in _services().values() for mount in service.get("volumes", [])]
    assert set(yaml.safe_load(COMPOSE)["volumes"]) == {mount.split(":")[0] for mount in mounts}
    # Images of PostgreSQL 18 refuse to start over a mount at .../data.
    assert ["postgres:/var/lib/postgresql"] == _services()["postgres"]["volumes"]
    [volumes] = _all_of(_stages()[-1], "VOLUME")
    assert _image_environment()["HF_HOME"] in json.loads(volumes)
    assert _image_environment()["PICTOGRAPH_DATA_DIR"] in json.loads(volumes)


def test_the_image_of_others_is_of_one_version() -> None:
    for name in ("postgres", "store"):
        assert re.search(r":\d+\.\d+", _services()[name]["image"])
