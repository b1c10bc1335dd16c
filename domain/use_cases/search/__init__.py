"""Searching by text, picture, image or blend."""
