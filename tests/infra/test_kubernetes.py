"""What the manifests in docs/kubernetes/ promise, as far as no cluster is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml  # type: ignore[import-untyped]  # it brings no types
from typer.core import TyperGroup

from domain.errors import Misconfigured
from graph.http.health import LIVENESS_PATH, READINESS_PATH
from infra.settings import ENV_PREFIX, FILE_SUFFIX, Settings, read_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "kubernetes"
SCHEMA = ROOT / "tests" / "infra" / "schemas" / "kubernetes.json"
MANIFESTS = sorted(FOLDER.rglob("*.yaml"))
PROGRAMS = ("server", "worker", "migrate", "sweep")
"""The manifests that run Pictograph."""

Tree = dict[str, Any]  # YAML knows no better


def _read(name: str) -> Tree:
    manifest: Tree = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return manifest


def _pod(name: str) -> Tree:
    spec = _read(name)["spec"]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    pod: Tree = spec["template"]["spec"]
    return pod


def _container(name: str) -> Tree:
    containers: list[Tree] = _pod(name)["containers"]
    [only] = containers
    return only


def _environment(name: str) -> dict[str, str]:
    """Return the variables of a container: those of the image, the ConfigMap and its own."""
    image = re.findall(r"(?m)^    (PICTOGRAPH_\w+)=(\S+)", (ROOT / "Dockerfile").read_text())
    container = _container(name)
    assert [{"configMapRef": {"name": "pictograph"}}] == container["envFrom"]
    own = {each["name"]: each["value"] for each in container.get("env", ())}
    shared: dict[str, str] = _read("settings")["data"]
    return dict(image) | shared | own


def _is_valid(manifest: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA), str(manifest)]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def test_the_schema_accepts_the_manifests_and_refuses_broken_ones(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA)]
    subprocess.run([*command, *map(str, MANIFESTS)], capture_output=True, check=True)
    broken = tmp_path / "server.yaml"
    for before, after in [
        ("readinessProbe:", "readynessProbe:"),
        ("kind: Deployment", "kind: Deploy"),
        ("replicas: 2", "replicas: two"),
        ("readOnlyRootFilesystem:", "readOnlyRoot:"),
    ]:
        broken.write_text((FOLDER / "server.yaml").read_text().replace(before, after))
        assert not _is_valid(broken), after


def test_make_check_validates_the_manifests() -> None:
    wanted = f"check-jsonschema --schemafile {SCHEMA.relative_to(ROOT)} docs/kubernetes/*.yaml"
    assert wanted in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_settings_of_a_pod_are_accepted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in list(os.environ):
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)
    [mount] = [each for each in _container(name)["volumeMounts"] if each["name"] == "secrets"]
    secrets = yaml.safe_load((FOLDER / "examples" / "secret.yaml").read_text())["stringData"]
    for variable, value in _environment(name).items():
        monkeypatch.setenv(variable, value)
        if variable.endswith(FILE_SUFFIX):
            folder, _, secret = value.rpartition("/")
            assert (mount["mountPath"], True) == (folder, secret in secrets)
            (tmp_path / secret).write_text("16-characters-or-more\n")
            monkeypatch.setenv(variable, str(tmp_path / secret))
    settings = read_settings()
    assert settings.database_url
    assert settings.database_password
    assert settings.s3_bucket
    assert (name == "server") == (settings.api_key is not None)
    # A server that other machines reach needs a key.
    assert settings.listens_beyond_loopback or name == "worker"


def test_every_setting_that_is_named_is_one() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    named = {name.removesuffix(FILE_SUFFIX) for name in re.findall(r"PICTOGRAPH_[A-Z0-9_]+", text)}
    assert set() == named - {ENV_PREFIX + name.upper() for name in Settings.model_fields}


def test_the_key_of_the_example_is_refused() -> None:
    secrets = yaml.safe_load((FOLDER / "examples" / "secret.yaml").read_text())["stringData"]
    with pytest.raises(Misconfigured, match="PICTOGRAPH_API_KEY"):
        read_settings(api_key=secrets["api_key"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_command_of_a_pod_is_one_of_pictograph(name: str) -> None:
    from pictograph.cli.main import cli  # noqa: PLC0415 - needs every use case, which other tests here do not

    program, command, *options = _container(name)["command"]
    assert program == "pictograph"
    group = typer.main.get_command(cli)
    assert isinstance(group, TyperGroup)
    group.commands[command].make_context(command, options)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_pod_is_unprivileged_and_read_only(name: str) -> None:
    pod, container = _pod(name), _container(name)
    user = f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}\n"
    assert user in (ROOT / "Dockerfile").read_text()
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert "memory" in container["resources"]["limits"]
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert {each["name"] for each in pod["volumes"]} == set(mounted)
    assert {"/data", "/tmp"} <= set(mounted.values())  # noqa: S108 - paths of the container


@pytest.mark.parametrize("name", PROGRAMS)
def test_variables_of_the_service_do_not_get_into_a_pod(name: str) -> None:
    # Kubernetes would set PICTOGRAPH_PORT to tcp://..., and PICTOGRAPH_SERVICE_HOST.
    assert _pod(name)["enableServiceLinks"] is False


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_image_is_that_of_the_version(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert _container(name)["image"].endswith(f"/pictograph:{project['version']}")


def test_probes_ask_the_port_that_the_server_listens_on() -> None:
    container = _container("server")
    [port] = container["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness")}
    assert {
        "liveness": {"path": LIVENESS_PATH, "port": port["name"]},
        "readiness": {"path": READINESS_PATH, "port": port["name"]},
    } == asked


def test_the_service_selects_the_servers() -> None:
    service, server = _read("service")["spec"], _read("server")["spec"]
    assert server["template"]["metadata"]["labels"] == service["selector"]
    assert server["selector"]["matchLabels"] == service["selector"]
    assert [_container("server")["ports"][0]["name"]] == [
        each["targetPort"] for each in service["ports"]
    ]
