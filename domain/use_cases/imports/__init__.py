"""Imports pictures of folders and buckets, indexed in place or copied."""
