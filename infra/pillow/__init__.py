"""Decodes picture files with Pillow and libheif, in sandboxed processes."""
