"""Duplicates on PostgreSQL: multi-index hashing, comparisons, and their tables."""
