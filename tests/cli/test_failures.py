"""The sentence of an error that ended a command."""

from __future__ import annotations

import errno

import pytest

from domain.errors import InvalidArgument, Misconfigured, Remedy, Unavailable
from infra.filesystem.outages import raising_outages
from infra.postgres.outages import NO_SPACE
from pictograph.cli.failures import DATABASE_IS_FULL, print_failure


def full_disk(filename: str | None = None) -> Unavailable:
    with pytest.raises(Unavailable) as failed, raising_outages():
        raise OSError(errno.ENOSPC, "No space left on device", filename)
    return failed.value


@pytest.mark.parametrize(
    ("error", "folder"),
    [
        (full_disk("/photos/files/ab/original"), "/photos/files/ab"),
        (full_disk(), "/data"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "/data"),
        (Unavailable(NO_SPACE), "/data"),
    ],
)
def test_a_full_disk_is_named_by_its_folder_and_the_command_can_run_again(
    error: Exception,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PICTOGRAPH_DATA_DIR", "/data")
    print_failure(error)
    assert (
        f"The disk of {folder} is full: make room there. Then run the command again: it goes on "
        "where it stopped.\n"
    ) == capsys.readouterr().err


def test_the_disk_of_a_database_of_ones_own_is_the_databases(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PICTOGRAPH_DATABASE_URL", "postgresql://db/pictures")
    assert NO_SPACE.startswith(DATABASE_IS_FULL)
    print_failure(Unavailable(NO_SPACE))
    assert "The disk of the database is full" in capsys.readouterr().err


def test_other_errors_have_their_own_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    print_failure(InvalidArgument((), "No."))
    assert "No.\n" == capsys.readouterr().err
    print_failure(Unavailable("The database is away."))
    assert "The database is away.\n" == capsys.readouterr().err


def test_without_a_network_the_bundled_model_and_a_folder_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_failure(Misconfigured("No hub.").with_remedy(Remedy.USE_BUNDLED_MODEL))
    said = capsys.readouterr().err
    assert said.startswith("No hub. The bundled model, which knows only postcards,")
    assert "PICTOGRAPH_MODEL=/" in said
