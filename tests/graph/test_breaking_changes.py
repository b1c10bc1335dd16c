"""The printed schema, compared with the schema of the last release."""

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
    """Return the breaking changes since the last release."""
    return find_breaking_changes(build_schema(RELEASED), build_schema(printed))


def test_the_schema_has_no_breaking_changes_since_the_last_release() -> None:
    assert [] == breaking(PRINTED)


def test_dangerous_changes_since_the_last_release_are_printed(
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
def test_a_breaking_change_would_be_found(
    released: str, now: str, kind: BreakingChangeType
) -> None:
    assert 1 == RELEASED.count(released)
    assert [kind] == [change.type for change in breaking(RELEASED.replace(released, now))]


def test_an_added_field_is_not_a_breaking_change() -> None:
    added = RELEASED.replace("type Query {\n", "type Query {\n  postcards(first: Int): Int\n")
    assert added != RELEASED
    assert [] == breaking(added)
