"""Cursors: encoding, decoding and forged ones."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.filters import SortField
from domain.entities.listing import Position, Sort
from domain.entities.near_duplicates import Collapse
from domain.entities.searches import SearchCursor
from domain.errors import InvalidArgument
from domain.use_cases.duplicates.find_duplicates import GroupCursor
from graph.schema.pagination import (
    decode_group_cursor,
    decode_position,
    decode_search_cursor,
    encode_group_cursor,
    encode_position,
    encode_search_cursor,
)

POSITIONS = st.one_of(
    st.tuples(st.just(SortField.FILENAME), st.text(st.characters(categories=["L", "N", "S"]))),
    st.tuples(st.just(SortField.BYTE_SIZE), st.integers(0, 2**63 - 1)),
    st.tuples(st.just(SortField.TAKEN_AT), st.none() | st.integers(-(10**15), 10**15)),
    st.tuples(st.just(SortField.CREATED_AT), st.integers(-(10**15), 10**15)),
)


@given(POSITIONS, st.booleans(), st.uuids())
def test_a_position_survives_encoding_and_decoding(
    field_and_value: tuple[SortField, Any], descending: object, image_id: UUID
) -> None:
    field, value = field_and_value
    sort, position = Sort(field, descending=bool(descending)), Position(value, image_id)
    assert position == decode_position(encode_position(position, sort), sort, location=("after",))


@given(st.uuids(), st.integers(0, 1_000), st.text())
def test_a_rank_of_a_search_survives_encoding_and_decoding(
    search_id: UUID, rank: int, hits_digest: str
) -> None:
    cursor = SearchCursor(search_id, rank, hits_digest)
    assert cursor == decode_search_cursor(encode_search_cursor(cursor), location=("after",))


@given(st.sampled_from(Collapse), st.uuids(), st.uuids())
def test_a_group_of_duplicates_survives_encoding_and_decoding(
    kind: Collapse, newest: UUID, last: UUID
) -> None:
    cursor = GroupCursor(kind, newest, last)
    assert cursor == decode_group_cursor(encode_group_cursor(cursor), location=("after",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
)
FORGED = st.text() | JSON.map(
    lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
)
FORGED_POSITIONS = st.tuples(
    st.sampled_from(["created_at desc", "filename asc", "byte_size asc", "taken_at desc"]),
    JSON,
    st.uuids().map(str) | JSON,
).map(lambda parts: base64.urlsafe_b64encode(json.dumps(parts).encode()).decode())


@given(FORGED | FORGED_POSITIONS, st.sampled_from(SortField))
def test_a_forged_cursor_is_a_valid_position_or_refused(cursor: str, field: SortField) -> None:
    sort = Sort(field)
    try:
        position = decode_position(cursor, sort, location=("after",))
    except InvalidArgument:
        return
    assert position == decode_position(encode_position(position, sort), sort, location=("after",))


@given(FORGED)
def test_a_forged_cursor_of_a_search_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidArgument, match="was not returned by this API"):
        decode_search_cursor(cursor, location=("after",))


@given(FORGED)
def test_a_forged_cursor_of_a_group_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidArgument, match="was not returned by this API"):
        decode_group_cursor(cursor, location=("after",))
