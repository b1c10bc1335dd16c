"""Changing the model of a library while it is in use."""
