"""Indexing pictures of folders and buckets in place."""
