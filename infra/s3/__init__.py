"""Storage, staging and external objects in any S3-compatible object store."""
