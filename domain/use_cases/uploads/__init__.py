"""Uploads files of clients, through the API or directly."""
