"""Checks the library for missing data, and collects garbage."""
