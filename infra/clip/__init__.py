"""Dual encoders of the CLIP family, with transformers and torch."""
