"""The report of an import."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import typer

from domain.entities.external_objects import (
    ImportCounts,
    ObjectChange,
    RefusedObject,
    UnlistedFolder,
)
from domain.entities.passed_over import PassedOver
from domain.use_cases.imports.forget_missing import MissingReport
from domain.use_cases.imports.summary import ImportSummary
from infra.locations import shown
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
    report(ImportSummary(counts=Counter({ObjectChange.NEW: 3})), ImportCounts(), 0, [])
    line = "3 found: 3 indexed, 0 unchanged, 0 moved, copied or touched; 0 missing, 0 refused.\n"
    assert (line, "") == capsys.readouterr()


def test_pictures_that_moved_are_missing_or_are_forgotten_are_counted_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = Counter({ObjectChange.NEW: 3, ObjectChange.CHANGED: 2, ObjectChange.RETURNED: 1})
    became = ImportCounts(recognised=4, missing=5, unlisted=6_000)
    missing = MissingReport(trashed=3, forgotten=7)
    report(ImportSummary(counts=counts), became, 0, [], missing=missing)
    assert (
        "6 found: 1 indexed, 1 unchanged, 4 moved, copied or touched; 5 missing, 0 refused.\n"
        "6,000 pictures are kept, although their folders are empty or cannot be read.\n"
        "3 pictures were moved into the trash, because their files are missing. They come back "
        "with their files.\n"
        "7 pictures were missing for too long, and were forgotten.\n"
    ) == capsys.readouterr().out


def test_a_folder_that_cannot_be_read_is_named_and_the_exit_status_is_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = ImportSummary()
    summary.add_unlisted(UnlistedFolder("file:///photos/old/"), known=0)
    summary.add_unlisted(UnlistedFolder("file:///photos/disk/"), known=2)
    summary.add_unlisted(UnlistedFolder("file:///photos/lost+found/", "No permission."), known=0)
    with pytest.raises(typer.Exit):
        report(summary, ImportCounts(), 0, [])
    said = capsys.readouterr().err
    assert "photos/old/" not in said
    for cell in ("photos/disk/", "perhaps a disk", "photos/lost+found/", "No permission."):
        assert cell in said


def test_refused_objects_are_listed_with_reasons_and_the_exit_status_is_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = RefusedObject("s3://photos/b.jpg", "It does not exist.")
    summary = ImportSummary(counts=COUNTS, missing_count=1, missing=[missing])
    with pytest.raises(typer.Exit) as ended:
        report(summary, ImportCounts(recognised=31, missing=6), 3, [BROKEN])
    assert 1 == ended.value.exit_code
    output = capsys.readouterr()
    # Two were refused by an earlier import, and so were not to be indexed by this one.
    assert (
        "1,286 found: 1,200 indexed, 50 unchanged, 31 moved, copied or touched; "
        "6 missing, 6 refused.\n"
        "Refused by an earlier import, and unchanged since: 2. --retry tries them again, and says "
        "why.\n"
    ) == output.out
    for cell in (BROKEN.location, BROKEN.reason, missing.location, missing.reason, "… and 2 more"):
        assert cell in output.err


def test_what_was_refused_before_is_one_line_and_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report(ImportSummary(counts=Counter({ObjectChange.REFUSED: 3})), ImportCounts(), 0, [])
    output = capsys.readouterr()
    assert "" == output.err
    [counts, refused_before] = output.out.splitlines()
    assert counts.endswith("3 refused.")
    assert refused_before.startswith("Refused by an earlier import, and unchanged since: 3.")


def test_what_is_no_picture_and_duplicates_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    passed_over = Counter({PassedOver.VIDEO: 1_000, PassedOver.SIDECAR: 2})
    summary = ImportSummary(counts=Counter({ObjectChange.NEW: 3}), passed_over=passed_over)
    report(summary, ImportCounts(recognised=2, duplicates=2), 0, [])
    [_, *lines] = capsys.readouterr().out.splitlines()
    assert [
        "Duplicates of pictures that the library has already: 2.",
        "Passed over, since they are no pictures: videos 1,000, sidecars 2.",
    ] == lines


def test_a_folder_without_pictures_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    report(ImportSummary(), ImportCounts(), 0, [], place="photos")
    report_dry_run(ImportSummary(passed_over=Counter({PassedOver.OTHER: 1})), None, place="[a]")
    said = capsys.readouterr().out
    assert "\nThere is no picture in photos.\n" in said
    assert "\nThere is no picture in [a].\n" in said


def test_refused_files_are_named_as_the_user_wrote_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = "file:///home/me/photos/"
    summary = ImportSummary(counts=Counter({ObjectChange.NEW: 1}))
    refused = RefusedObject(f"{root}a%20b.jpg", "No.")
    with pytest.raises(typer.Exit):
        report(
            summary,
            ImportCounts(),
            1,
            [refused],
            shown=partial(shown, root=root, given="./photos"),
        )
    assert "./photos/a b.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("location", "root", "given", "expected"),
    [
        ("file:///a/b%20c.jpg", None, "", "/a/b c.jpg"),
        ("file:///a/b.jpg", "file:///a/", "../a/", "../a/b.jpg"),
        ("file:///a/b.jpg", "file:///a/b.jpg", "b.jpg", "b.jpg"),
        ("file:///a/b%20c.jpg", "file:///a/", "file:///a", "/a/b c.jpg"),
        ("s3://a/b%20c.jpg", "s3://a/", "s3://a", "s3://a/b%20c.jpg"),
        ("s3://a/b.jpg", None, "list.csv", "s3://a/b.jpg"),
    ],
)
def test_a_location_is_shown_as_the_path_that_people_know(
    location: str, root: str | None, given: str, expected: str
) -> None:
    assert expected == shown(location, root=root, given=given)


def test_a_dry_run_counts_changes_and_estimates_the_duration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = ImportSummary(counts=COUNTS, bytes_to_index=5_000_000, missing_count=1)
    report_dry_run(summary, rate=12.34)
    assert (
        "1,286 found: 1,200 new, 30 changed, 4 unfinished, 50 unchanged, "
        "6 gone from their place, 2 refused before.\n"
        "1 objects of the manifest do not exist.\n"
        "1,234 to index (5.0 MB), about 0:01:40 at 12.3 pictures/s. "
        "This was a dry run: nothing was changed.\n"
    ) == capsys.readouterr().out


def test_a_dry_run_without_a_sample_estimates_no_duration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report_dry_run(ImportSummary(), rate=None)
    assert "0 to index (0 bytes). This was a dry run" in capsys.readouterr().out
