"""Alembic migrations of the tables, one file per revision."""
