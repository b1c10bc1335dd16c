"""Decodes picture files with Pillow and libheif, in separate processes with resource limits."""
