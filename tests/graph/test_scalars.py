"""Custom scalars: values that they refuse."""

import pytest
from graphql import GraphQLError

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
