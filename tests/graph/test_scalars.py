"""Custom scalars: values that they refuse."""

from datetime import datetime

import pytest
from graphql import GraphQLError
from graphql import parse_value as parse_literal_of

from domain.entities.uploads import Upload
from graph.schema.scalars import SCALARS, URL


def test_an_upload_cannot_be_returned() -> None:
    serialize = SCALARS[Upload].serialize
    assert serialize
    with pytest.raises(GraphQLError, match="cannot be returned"):
        serialize(b"")


def test_a_url_is_a_string() -> None:
    parse_value = SCALARS[URL].parse_value
    assert parse_value
    assert "https://pictures.example" == parse_value("https://pictures.example")
    with pytest.raises(GraphQLError, match="is a string"):
        parse_value(1)


def test_an_integer_is_whole_and_exact() -> None:
    parse_value, parse_literal = SCALARS[int].parse_value, SCALARS[int].parse_literal
    assert parse_value
    assert parse_literal
    for number in (0, -1, 2**31, 2**53 - 1):
        assert number == parse_value(number)
        assert number == parse_literal(parse_literal_of(str(number)), None)
    for wrong in (2**53, -(2**53), 1.5, True, "1", None, 1e300):
        with pytest.raises(GraphQLError, match="Int cannot represent"):
            parse_value(wrong)
    for wrong in ("1" * 5_000, "true", '"1"'):
        with pytest.raises(GraphQLError, match="Int cannot represent"):
            parse_literal(parse_literal_of(wrong), None)


@pytest.mark.parametrize(
    ("written", "answered"),
    [
        ("2026-05-04T10:00:00Z", "2026-05-04T10:00:00.000+00:00"),
        ("2026-05-04T10:00:00.5Z", "2026-05-04T10:00:00.500+00:00"),
        ("2026-05-04T10:00:00.123Z", "2026-05-04T10:00:00.123+00:00"),
        ("2026-05-04T10:00:00.123456-05:00", "2026-05-04T10:00:00.123-05:00"),
        ("2026-05-04T10:00:00.123456789Z", "2026-05-04T10:00:00.123+00:00"),
    ],
)
def test_an_instant_is_read_with_any_digits_and_answered_with_three(
    written: str, answered: str
) -> None:
    scalar = SCALARS[datetime]
    assert scalar.parse_value
    assert scalar.serialize
    assert answered == scalar.serialize(scalar.parse_value(written))
