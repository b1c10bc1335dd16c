"""The nouns: frozen dataclasses with their rules."""
