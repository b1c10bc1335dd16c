"""The catalog, kept searches and keys on PostgreSQL with pgvector."""
