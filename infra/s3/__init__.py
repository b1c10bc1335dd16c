"""Storage, staging and external files in any S3-compatible store."""
