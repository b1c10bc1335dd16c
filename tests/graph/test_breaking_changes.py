"""The schema beside that of the last release: what apps ask today is answered tomorrow."""

from pathlib import Path

import pytest
from graphql import build_schema
from graphql.utilities import (
    BreakingChange,
    BreakingChangeType,
    find_breaking_changes,
    find_dangerous_changes,
)

GRAPH = Path(__file__).parents[2] / "graph"
RELEASED = (GRAPH / "released.graphql").read_text()
PRINTED = (GRAPH / "schema.graphql").read_text()


def breaking(printed: str) -> list[BreakingChange]:
    """Return what an app that was written for the last release could stumble over."""
    return find_breaking_changes(build_schema(RELEASED), build_schema(printed))


def test_nothing_breaks_what_was_written_for_the_last_release() -> None:
    assert [] == breaking(PRINTED)


def test_what_may_surprise_apps_of_the_last_release_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = find_dangerous_changes(build_schema(RELEASED), build_schema(PRINTED))
    with capsys.disabled():
        for change in changes:
            print(f"\ndangerous since the last release: {change.description}")  # noqa: T201


@pytest.mark.parametrize(
    ("released", "now", "kind"),
    [
        ("  hasNextPage: Boolean!\n", "", BreakingChangeType.FIELD_REMOVED),
        ("relevantCount: Int!", "relevantCount: Float!", BreakingChangeType.FIELD_CHANGED_KIND),
        ("filename: String!\n\n", "filename: String\n\n", BreakingChangeType.FIELD_CHANGED_KIND),
        ("  STRONG\n", "", BreakingChangeType.VALUE_REMOVED_FROM_ENUM),
        (
            "input GeoNear {\n",
            "input GeoNear {\n  altitude: Float!\n",
            BreakingChangeType.REQUIRED_INPUT_FIELD_ADDED,
        ),
        (
            "similarImages(first: Int! = 20, after: String, ",
            "similarImages(first: Int! = 20, ",
            BreakingChangeType.ARG_REMOVED,
        ),
        (
            "type Image implements Node {",
            "type Image {",
            BreakingChangeType.IMPLEMENTED_INTERFACE_REMOVED,
        ),
    ],
)
def test_a_change_that_breaks_apps_is_told(
    released: str, now: str, kind: BreakingChangeType
) -> None:
    assert 1 == RELEASED.count(released)
    assert [kind] == [change.type for change in breaking(RELEASED.replace(released, now))]


def test_what_is_added_breaks_nothing() -> None:
    added = RELEASED.replace("type Query {\n", "type Query {\n  postcards(first: Int): Int\n")
    assert added != RELEASED
    assert [] == breaking(added)
