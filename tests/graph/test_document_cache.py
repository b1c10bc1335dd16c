"""The cache of parsed and valid documents."""

from graphql import parse

from graph.schema.document_cache import DocumentCache


def test_the_least_recently_used_documents_are_evicted() -> None:
    cache = DocumentCache(max_characters=2)
    document = parse("{ a }")
    cache.put("a", document)
    cache.put("b", document)
    assert document is cache.get("a")
    cache.put("c", document)
    assert [document, None, document] == [cache.get(query) for query in "abc"]
