"""The report of an import."""

from __future__ import annotations

from collections import Counter

import pytest
import typer

from domain.entities.external_objects import ObjectChange, RefusedObject
from domain.use_cases.imports.summary import ImportSummary
from pictograph.cli.import_report import report, report_dry_run

COUNTS = Counter(
    {
        ObjectChange.NEW: 1_200,
        ObjectChange.CHANGED: 30,
        ObjectChange.UNFINISHED: 4,
        ObjectChange.UNCHANGED: 50,
        ObjectChange.VANISHED: 6,
        ObjectChange.REFUSED: 2,
    }
)
BROKEN = RefusedObject("s3://photos/[red]a.jpg", "The file is empty.")


def test_an_import_without_refusals_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report(ImportSummary(counts=Counter({ObjectChange.NEW: 3})), 0, [])
    line = "3 found: 3 indexed, 0 unchanged, 0 vanished, 0 refused.\n"
    assert (line, "") == capsys.readouterr()


def test_refused_objects_are_listed_with_reasons_and_the_exit_status_is_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = RefusedObject("s3://photos/b.jpg", "It does not exist.")
    summary = ImportSummary(counts=COUNTS, missing_count=1, missing=[missing])
    with pytest.raises(typer.Exit) as ended:
        report(summary, 5, [BROKEN])
    assert 1 == ended.value.exit_code
    output = capsys.readouterr()
    # Two of the five were refused by an earlier import, and so were not to be indexed by this one.
    line = "1,286 found: 1,231 indexed, 50 unchanged, 6 vanished, 6 refused.\n"
    assert line == output.out
    for cell in (BROKEN.location, BROKEN.reason, missing.location, missing.reason, "… and 4 more"):
        assert cell in output.err


def test_a_dry_run_counts_changes_and_estimates_the_duration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = ImportSummary(counts=COUNTS, bytes_to_index=5_000_000, missing_count=1)
    report_dry_run(summary, rate=12.34)
    assert (
        "1,286 found: 1,200 new, 30 changed, 4 unfinished, 50 unchanged, 6 vanished, "
        "2 refused before.\n"
        "1 objects of the manifest do not exist.\n"
        "1,234 to index (5.0 MB), about 0:01:40 at 12.3 pictures/s. "
        "This was a dry run: nothing was changed.\n"
    ) == capsys.readouterr().out


def test_a_dry_run_without_a_sample_estimates_no_duration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report_dry_run(ImportSummary(), rate=None)
    assert "0 to index (0 bytes). This was a dry run" in capsys.readouterr().out
