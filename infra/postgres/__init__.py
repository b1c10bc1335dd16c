"""Persistence on PostgreSQL with pgvector."""
