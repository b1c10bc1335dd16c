"""The catalog, found objects, kept searches and keys on PostgreSQL with pgvector."""

from infra.postgres.catalog import PostgresCatalog
from infra.postgres.duplicates import PostgresDuplicates
from infra.postgres.keys import PostgresKeys
from infra.postgres.objects import PostgresObjects
from infra.postgres.searches import PostgresSearches

__all__ = [
    "PostgresCatalog",
    "PostgresDuplicates",
    "PostgresKeys",
    "PostgresObjects",
    "PostgresSearches",
]
