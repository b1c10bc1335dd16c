"""The work queue on PostgreSQL, and the external objects it is about."""
