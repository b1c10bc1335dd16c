"""The entities: frozen dataclasses with their rules."""
