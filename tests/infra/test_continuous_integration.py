"""What continuous integration and the hooks before a commit run: the project's own commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it brings no types

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
HOOKS = ROOT / ".pre-commit-config.yaml"
SCHEMA = ("--builtin-schema", "vendor.github-workflows")

Tree = dict[str, Any]  # YAML knows no better


def job() -> Tree:
    jobs: dict[str, Tree] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    [only] = jobs.values()
    return only


def hooks() -> list[Tree]:
    [local] = yaml.safe_load(HOOKS.read_text())["repos"]
    assert local["repo"] == "local"
    found: list[Tree] = local["hooks"]
    return found


def makefile_recipe(target: str) -> str:
    recipe = re.search(rf"(?m)^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text())
    assert recipe
    return recipe[1]


def valid(workflow: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", *SCHEMA, str(workflow)]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def test_the_schema_accepts_the_workflow_and_refuses_a_broken_one(tmp_path: Path) -> None:
    assert valid(WORKFLOW)
    broken = tmp_path / "ci.yml"
    broken.write_text(WORKFLOW.read_text().replace("runs-on:", "runs-at:"))
    assert not valid(broken)


def test_make_check_validates_the_workflow() -> None:
    wanted = f"check-jsonschema {' '.join(SCHEMA)} {WORKFLOW.relative_to(ROOT)}"
    assert wanted in makefile_recipe("check")


def test_the_workflow_runs_what_the_script_for_other_machines_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    expected = re.findall(r"(?m)^make .*$", script)
    assert "make test" in expected
    assert expected == [step["run"] for step in job()["steps"] if "run" in step]


def test_the_workflow_uses_only_actions_of_the_host_by_their_major_version() -> None:
    used = [step["uses"] for step in job()["steps"] if "uses" in step]
    assert ["checkout", "setup-python", "setup-node"] == [
        re.sub(r"^actions/([a-z-]+)@v\d+$", r"\1", action) for action in used
    ]


def test_the_workflow_installs_the_oldest_python_that_is_supported() -> None:
    [python] = [step["with"] for step in job()["steps"] if "setup-python" in step.get("uses", "")]
    required = re.search(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text())
    assert required
    assert required[1] == python["python-version"]


def test_a_run_ends_and_gives_way_to_a_newer_one() -> None:
    assert 0 < job()["timeout-minutes"] <= 120
    assert yaml.safe_load(WORKFLOW.read_text())["concurrency"]["cancel-in-progress"]


@pytest.mark.parametrize("file", [WORKFLOW, HOOKS])
def test_no_address_is_written_down(file: Path) -> None:
    assert not re.search(r"https?://", file.read_text())


def test_hooks_run_the_commands_of_make_check() -> None:
    recipe = makefile_recipe("check").replace("$(BIN)", ".venv/bin")
    for hook in hooks():
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in recipe
