"""Synthetic postcards for the demo, and the bundled CLIP model that is trained on them."""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
"""The folder of the bundled model."""
