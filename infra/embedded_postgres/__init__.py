"""A PostgreSQL server that Pictograph runs by itself."""
