"""The vector index on pgvector."""
