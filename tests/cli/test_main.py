"""The errors of the command line, and its exit statuses."""

from __future__ import annotations

import inspect
import shlex
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command

from pictograph.cli import main as command_line
from pictograph.cli.examples import EXAMPLES
from pictograph.cli.main import cli, main

COMMANDS = [
    "serve",
    "migrate",
    "worker",
    "import photos",
    "search boat",
    "tune",
    "sweep",
    "check",
    "claim",
    "doctor",
    "keys create app",
    "keys list",
    "keys revoke 0197fd5a-0000-7000-8000-000000000000",
    "models add clip",
    "models status",
    "models compare boat --with clip",
    "models promote clip",
    "models rollback",
    "models drop clip",
    "demo",
]
"""Every command that reads the settings."""


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Run a command in this process, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["pictograph", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def fail_with(error: Exception) -> object:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_invalid_setting_in_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PICTOGRAPH_PROT", "80")
    assert 1 == run(monkeypatch, *command.split())
    output = capsys.readouterr()
    assert "" == output.out
    assert output.err.startswith("PICTOGRAPH_PROT is no setting. ")
    assert 1 == output.err.count("\n")


def test_every_command_that_reads_the_settings_is_tested() -> None:
    names = set(get_command(cli).commands)  # type: ignore[attr-defined]  # it is a group
    assert names == {command.split()[0] for command in COMMANDS} | {"export-schema"}


def test_the_list_of_commands_describes_each_as_its_own_help_does() -> None:
    commands = get_command(cli).commands  # type: ignore[attr-defined]  # it is a group
    for name, command in commands.items():
        own = get_command(command.callback())
        assert (name, inspect.cleandoc(own.help or "")) == (name, command.help)


@pytest.mark.parametrize(
    ("words", "status"), [(["--help"], 0), (["serv"], 2), (["--verbos"], 2), ([], 2)]
)
def test_the_help_and_mistyped_commands_import_no_command(words: list[str], status: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pictograph", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert status == ended.returncode
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "pictograph.cli.main" in imported
    assert not {"domain", "pictograph.app", "pictograph.cli.console", "numpy"} & imported


def test_groups_and_their_commands_are_imported_when_they_are_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(monkeypatch, "keys", "create", "--help")
    assert "Usage: pictograph keys create" in capsys.readouterr().out
    assert 2 == run(monkeypatch, "keys", "creat")
    assert "Did you mean 'create'?" in capsys.readouterr().err


def test_an_unexpected_error_is_one_line_that_names_the_setting_for_details(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, cause in (
        (OSError("No space\nleft."), "OSError: No space left."),
        (OSError(), "OSError."),
    ):
        monkeypatch.setattr(command_line, "cli", fail_with(error))
        assert 1 == run(monkeypatch)
        sentence = "Set PICTOGRAPH_LOG_LEVEL=debug to see where it occurred."
        assert f"Unexpected error: {cause} {sentence}\n" == capsys.readouterr().err


def test_an_unexpected_error_has_a_traceback_at_the_log_level_debug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PICTOGRAPH_LOG_LEVEL", "debug")
    monkeypatch.setattr(command_line, "cli", fail_with(OSError("No space left.")))
    with pytest.raises(OSError, match="No space left"):
        main()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("import", "Name what to import: a folder, s3://bucket/prefix, or --manifest FILE."),
        ("import photos --manifest list", "Name what to import: "),
        ("import s3://photos --copy", "Only a folder or a file can be copied; name it: "),
        ("import photos --copy --dry-run", "--copy has no dry run; leave out "),
    ],
)
def test_an_import_refuses_options_that_cannot_be_combined(
    command: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 1 == run(monkeypatch, *command.split())
    assert capsys.readouterr().err.startswith(sentence)


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(monkeypatch, "--version")
    assert f"pictograph {version('pictograph')}\n" == capsys.readouterr().out


@pytest.mark.parametrize("command", EXAMPLES)
def test_every_help_ends_with_examples_that_are_commands(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert 0 == run(monkeypatch, *command.split(), "--help")
    shown = capsys.readouterr().out
    lines = [line.strip() for line in EXAMPLES[command].strip().splitlines()]
    printed = [line.strip() for line in shown.splitlines() if line.strip()]
    assert ["Examples:", *lines] == printed[-1 - len(lines) :]


@pytest.mark.parametrize(
    "example", [line.strip() for text in EXAMPLES.values() for line in text.split("\n") if line]
)
def test_every_example_is_a_command(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Options are parsed, and those that do not exist are refused, before --help prints.
    words = shlex.split(example.partition("pictograph ")[2])
    assert 0 == run(monkeypatch, *words, "--help")


def test_every_command_has_examples() -> None:
    groups = {"keys", "models"}
    words = {name: name.split()[0] for name in EXAMPLES if name}
    assert set(get_command(cli).commands) == set(words.values())  # type: ignore[attr-defined]  # it is a group
    assert {" ".join(each.split()[: 1 + (each.split()[0] in groups)]) for each in COMMANDS} | {
        "export-schema",
        *groups,
    } == set(words)
