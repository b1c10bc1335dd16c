"""The failpoints of `make test-crash`, which are in the tests alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from tests.crash.failpoints import Failpoint, describe_statement
from tests.e2e.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import json, os, sys
from pathlib import Path
from tests.crash.failpoints import Failpoint, install
install(Failpoint(**json.loads(sys.argv[1])))
folder = Path(sys.argv[2])
for name in ("1", "2"):
    (folder / "new").write_bytes(b"")
    (folder / "new").rename(folder / name)
"""


@pytest.mark.parametrize(
    ("statement", "change"),
    [
        ("SELECT id FROM images FOR UPDATE", None),
        (
            "WITH due AS (SELECT FROM work FOR UPDATE SKIP LOCKED) UPDATE work SET lease = 1",
            "update work",
        ),
        (
            (
                "WITH new AS (INSERT INTO images (id) VALUES ($1) ON CONFLICT DO UPDATE SET id = 1)"
                " INSERT INTO work SELECT FROM new"
            ),
            "insert images, insert work",
        ),
        ("CREATE UNIQUE INDEX IF NOT EXISTS a ON images (id)", "create unique index a"),
        ("CREATE TRIGGER t AFTER INSERT OR UPDATE ON images", "create trigger t"),
        ("DROP INDEX CONCURRENTLY IF EXISTS a", "drop index a"),
    ],
)
def test_a_statement_is_described_by_what_it_changes(statement: str, change: str | None) -> None:
    assert change == describe_statement(statement)


@pytest.mark.parametrize(("occurrence", "left"), [(1, set()), (2, {"1"})])
def test_a_process_kills_itself_before_it_changes_a_file(
    occurrence: int, left: set[str], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "files"
    folder.mkdir(parents=True)
    (armed := tmp_path / "armed").touch()
    point = Failpoint(str(armed), str(folder.parent), "before rename in files", occurrence)
    command = (sys.executable, "-c", PROGRAM, json.dumps(asdict(point)), str(folder))
    ended = subprocess.run(command, cwd=ROOT, check=False, timeout=300)
    assert -signal.SIGKILL == ended.returncode
    assert {"new"} | left == {path.name for path in folder.iterdir()}
