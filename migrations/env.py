"""Alembic's entry point: runs over the connection that ``infra.postgres.migrate`` opened."""

from __future__ import annotations

from alembic import context

from infra.postgres.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
