"""Dual encoders of the CLIP family (CLIP, SigLIP), with transformers and torch."""
