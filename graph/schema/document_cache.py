"""An LRU cache of valid documents, so that a repeated query is parsed and validated once."""

from collections import OrderedDict

from graphql import DocumentNode

MAX_CACHED_CHARACTERS = 400_000
"""The total length of the cached queries. A parsed query takes about 100 bytes a character."""


class DocumentCache:
    """Parsed and valid documents by their query text, least recently used first."""

    def __init__(self, max_characters: int = MAX_CACHED_CHARACTERS) -> None:
        self._max_characters = max_characters
        self._characters = 0
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()

    def get(self, query: str) -> DocumentNode | None:
        """Return the document of a query, or None."""
        if query in self._documents:
            self._documents.move_to_end(query)
        return self._documents.get(query)

    def put(self, query: str, document: DocumentNode) -> None:
        """Add a valid document, and evict the least recently used ones past the limit."""
        if self._documents.setdefault(query, document) is document:
            self._characters += len(query)
        while self._characters > self._max_characters:
            self._characters -= len(self._documents.popitem(last=False)[0])
