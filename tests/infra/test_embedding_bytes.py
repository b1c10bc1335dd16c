"""Embeddings in the binary format of pgvector."""

from __future__ import annotations

import struct

from infra.postgres.vectors.binary import embedding_of


def test_floats_in_network_order_become_an_embedding() -> None:
    numbers = [1.0, -0.5, 2.0**-100, 0.0]
    data = struct.pack(">HH4f", 4, 0, *numbers)
    assert numbers == list(embedding_of(data))
