"""Duplicates on PostgreSQL."""
