"""The catalog on PostgreSQL: rows of images, filters, listings, facets."""
