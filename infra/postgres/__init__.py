"""The catalog, kept searches and keys on PostgreSQL with pgvector."""

from infra.postgres.catalog import PostgresCatalog
from infra.postgres.keys import PostgresKeys
from infra.postgres.searches import PostgresSearches

__all__ = ["PostgresCatalog", "PostgresKeys", "PostgresSearches"]
