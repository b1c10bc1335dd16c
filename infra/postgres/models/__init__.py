"""The models of a library on PostgreSQL."""
