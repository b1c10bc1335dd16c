"""The catalog, kept searches and keys on PostgreSQL with pgvector."""

from infra.postgres.catalog import PostgresCatalog
from infra.postgres.duplicates import PostgresDuplicates
from infra.postgres.keys import PostgresKeys
from infra.postgres.searches import PostgresSearches

__all__ = ["PostgresCatalog", "PostgresDuplicates", "PostgresKeys", "PostgresSearches"]
