"""Scalars at their edges: what goes only one way."""

import pytest
from graphql import GraphQLError, parse

from domain.entities.uploads import Upload
from graph.schema.scalars import SCALARS, URL
from graph.schema.schema import Documents


def test_a_file_never_goes_out() -> None:
    serialize = SCALARS[Upload].serialize
    assert serialize
    with pytest.raises(GraphQLError, match="never out"):
        serialize(b"")


def test_an_address_is_a_string() -> None:
    parse_value = SCALARS[URL].parse_value
    assert parse_value
    assert "https://pictures.example" == parse_value("https://pictures.example")
    with pytest.raises(GraphQLError, match="is a string"):
        parse_value(1)


def test_the_documents_that_were_not_asked_for_the_longest_are_forgotten() -> None:
    documents = Documents(most=2)
    document = parse("{ a }")
    documents.keep("a", document)
    documents.keep("b", document)
    assert document is documents.recall("a")
    documents.keep("c", document)
    assert [document, None, document] == [documents.recall(query) for query in "abc"]
