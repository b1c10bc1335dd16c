"""The catalog on PostgreSQL: images, filters, pages and facets."""
