"""Reads and edits the images of the library."""
