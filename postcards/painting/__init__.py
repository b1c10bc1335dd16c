"""Paints scenes as pictures with Pillow."""
