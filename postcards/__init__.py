"""The bundled model and the pictures of the demo, and how they come to be."""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
"""The folder of the model in the box."""
