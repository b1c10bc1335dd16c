"""The work queue on PostgreSQL, the repair queue, and the external objects."""
