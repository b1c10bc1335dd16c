"""Searches by text, picture, image or blend."""
