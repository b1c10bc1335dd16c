"""The root type of queries."""

import strawberry

from graph.schema.duplicates import DuplicatesQuery
from graph.schema.listing import LibraryQuery
from graph.schema.search import SearchQuery
from graph.schema.service import ServiceQuery


@strawberry.type
class Query(LibraryQuery, SearchQuery, DuplicatesQuery, ServiceQuery):
    """Reads the library. Where public reading is off, a key with the scope READ is required."""
