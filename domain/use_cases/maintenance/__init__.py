"""Checking the library and collecting what is left over."""
