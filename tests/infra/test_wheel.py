"""The wheel, built and installed beside the checkout: it holds all that the program needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = tuple(
    package.rstrip("*") for package in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
)
BUILD_TOOLS = ("pip", "setuptools")
DATA = (
    "graph/graphiql/page.*",
    "graph/schema.graphql",
    "graph/ui/*",
    "infra/clip/concepts.txt",
    "postcards/model/*",
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel installed, and the dependencies of this one."""
    if not all(map(find_spec, BUILD_TOOLS)):
        needed = f"Building the wheel needs {' and '.join(BUILD_TOOLS)}."
        if os.environ.get("CI"):
            pytest.fail(needed)
        pytest.skip(needed)
    folder = tmp_path_factory.mktemp("wheel")
    # A copy: setuptools leaves its build folder in the sources, and packs what it finds there.
    sources = folder / "sources"
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "assets")
        shutil.copytree(ROOT / package, sources / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, sources)
    [wheel] = folder.glob("*.whl")

    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    pip("--python", python, "install", "--no-compile", wheel)
    # After the installation, so that pip sees no other Pictograph. Of a folder that a .pth file
    # names, Python reads no .pth files: the editable installation of the checkout stays outside.
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages(environment) / "dependencies.pth").write_text("\n".join(dependencies))
    return environment


def pip(command: str | Path, *arguments: str | Path) -> None:
    options = ("--quiet", "--no-index", "--no-deps")
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", command, *arguments, *options])


def run(command: list[str | Path], *, cwd: Path | None = None) -> str:
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        command, cwd=cwd, env=bare, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def site_packages(environment: Path) -> Path:
    [folder] = environment.glob("lib/python3*/site-packages")
    return folder


def found(folder: Path, pattern: str) -> set[str]:
    """Return the files of the packages that match a pattern, relative to a folder."""
    return {
        str(path.relative_to(folder))
        for path in folder.glob(pattern)
        if path.is_file() and path.relative_to(folder).parts[0] in PACKAGES
    }


def test_the_wheel_holds_every_module(environment: Path) -> None:
    assert found(ROOT, "**/*.py") >= found(ROOT, "migrations/versions/*.py") > set()
    assert found(ROOT, "**/*.py") == found(site_packages(environment), "**/*.py")


@pytest.mark.parametrize("pattern", DATA)
def test_the_wheel_holds_the_data(environment: Path, pattern: str) -> None:
    assert found(ROOT, pattern)
    assert found(ROOT, pattern) == found(site_packages(environment), pattern)


def test_the_wheel_holds_nothing_beside_the_packages(environment: Path) -> None:
    installed = {path.name for path in site_packages(environment).iterdir()}
    assert {*PACKAGES, "dependencies.pth"} == {
        name for name in installed if not name.endswith(".dist-info")
    }


def test_the_installed_command_shows_its_help(environment: Path, tmp_path: Path) -> None:
    assert "export-schema" in run([environment / "bin" / "pictograph", "--help"], cwd=tmp_path)


def test_the_installed_package_runs_as_a_module(environment: Path, tmp_path: Path) -> None:
    python = environment / "bin" / "python"
    shown = run([python, "-P", "-m", "pictograph", "--help"], cwd=tmp_path)
    assert "export-schema" in shown


def test_the_installed_command_exports_the_schema(environment: Path, tmp_path: Path) -> None:
    exported = run([environment / "bin" / "pictograph", "export-schema"], cwd=tmp_path)
    assert (ROOT / "graph" / "schema.graphql").read_text() == exported


def test_the_installed_program_is_not_the_checkout(environment: Path, tmp_path: Path) -> None:
    script = "\n".join(f"import {name}; print({name}.__file__)" for name in PACKAGES)
    printed = run([environment / "bin" / "python", "-P", "-c", script], cwd=tmp_path)
    expected = [str(site_packages(environment) / name / "__init__.py") for name in PACKAGES]
    assert expected == printed.splitlines()


def test_the_distribution_is_refused_by_package_indexes(environment: Path) -> None:
    [metadata] = site_packages(environment).glob("pictograph-*.dist-info/METADATA")
    assert "Classifier: Private :: Do Not Upload" in metadata.read_text().splitlines()
