"""External objects: ranges, changes, and the summary of an import."""

from __future__ import annotations

from uuid import uuid4

import pytest

from domain.entities.external_objects import (
    KeyRange,
    KnownObject,
    ListedObject,
    ObjectChange,
    ObjectState,
    compare,
)
from domain.entities.images import Source
from domain.use_cases.imports import summary as summary_module


def test_the_sample_is_bounded() -> None:
    summary = summary_module.ImportSummary()
    for number in range(1_000):
        summary.add(ListedObject(Source(str(number), "1"), 1), ObjectChange.NEW)
    assert (summary_module.ESTIMATE_SAMPLE_SIZE, 1_000) == (
        len(set(summary.sample)),
        summary.bytes_to_index,
    )


@pytest.mark.parametrize("state", ObjectState)
def test_another_version_is_a_change_in_every_state(state: ObjectState) -> None:
    known = KnownObject(uuid4(), Source("s3://photos/1", "1"), state)
    for retry in (False, True):
        listed = ListedObject(Source("s3://photos/1", "2"), 1)
        assert ObjectChange.CHANGED is compare(listed, known, retry=retry)


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("s3://b/", ["s3://b/", "s3://b/\U0010ffff"], ["s3://b", "s3://b0", "s3://a/x"]),
        ("a\ud7ff", ["a\ud7ff", "a\ud7ff\U0010ffff"], ["a\ue000", "a"]),
        ("", ["", "s3://b/", "\U0010fffe"], []),
    ],
)
def test_the_range_of_a_prefix_contains_all_locations_that_begin_with_it(
    prefix: str, inside: list[str], outside: list[str]
) -> None:
    key_range = KeyRange.below(prefix)
    assert all(location in key_range for location in inside)
    assert not any(location in key_range for location in outside)


def test_the_prefix_is_the_longest_common_one() -> None:
    summary = summary_module.ImportSummary()
    assert "" not in summary.key_range
    for location, prefix in (
        ("s3://b/2024/one", "s3://b/2024/one"),
        ("s3://b/2024/one", "s3://b/2024/one"),
        ("s3://b/2024/two", "s3://b/2024/"),
        ("s3://b/1999/one", "s3://b/"),
        ("file:///one", ""),
    ):
        summary.include(location)
        assert KeyRange.below(prefix) == summary.key_range
