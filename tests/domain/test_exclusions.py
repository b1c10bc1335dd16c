"""Exclusions: patterns as in a .gitignore."""

from __future__ import annotations

import pytest

from domain.entities.exclusions import Exclusions


@pytest.mark.parametrize(
    ("pattern", "path", "is_excluded"),
    [
        ("*.tif", "a.tif", True),
        ("*.tif", "b/a.tif", True),
        ("*.tif", "a.tiff", False),
        ("drafts", "b/drafts/a.jpg", True),
        ("drafts/", "drafts/", True),
        ("drafts/", "b/drafts/a.jpg", True),
        ("drafts/", "drafts", False),
        ("/drafts", "b/drafts/a.jpg", False),
        ("b/*.jpg", "b/a.jpg", True),
        ("b/*.jpg", "b/c/a.jpg", False),
        ("b/**/a.jpg", "b/c/d/a.jpg", True),
        ("b/**/a.jpg", "b/a.jpg", True),
        ("?.jpg", "ab.jpg", False),
        ("a[1].jpg", "a[1].jpg", True),
        ("a.jpg", "aXjpg", False),
    ],
)
def test_a_pattern_matches_names_paths_or_folders(
    pattern: str, path: str, *, is_excluded: bool
) -> None:
    assert is_excluded is Exclusions((pattern,)).excludes(path)


def test_the_last_pattern_that_matches_decides() -> None:
    exclusions = Exclusions(("*.jpg", "!keep.jpg"))
    assert not exclusions.excludes("a/keep.jpg")
    assert exclusions.excludes("a/other.jpg")


def test_comments_and_empty_lines_are_no_patterns() -> None:
    assert Exclusions(("*.tif",)) == Exclusions.of_lines(["# old", "", "  *.tif  "])
