"""The table of scan parameters of a library that was not tuned.

``python -m benchmarks.tune`` measured it on 33,256 vectors of CLIP ViT-B/32, and printed it.
"""

from __future__ import annotations

from domain.entities.scans import QueryShape, ScanParameters, ScanRow, ScanTable

EXACT_BELOW = 20_000
"""Fewer candidates than this are compared one by one in a library that was not tuned. That is fast,
and an index scan for so few could miss some."""

DEFAULT_SCANS = ScanTable(
    tuple(
        ScanRow(
            shape,
            depth,
            selectivity=1.0,
            images=33_256,
            parameters=ScanParameters(ef_search, iterative=True),
            exact_below=exact_below,
            recall=recall,
        )
        for shape, depth, ef_search, exact_below, recall in (
            (QueryShape.TEXT, 120, 600, 12_000, 0.991),
            (QueryShape.TEXT, 400, 600, 12_000, 0.991),
            (QueryShape.TEXT, 1_000, 450, 22_000, 0.998),
            (QueryShape.BLEND, 120, 600, 12_000, 0.991),
            (QueryShape.BLEND, 400, 600, 12_000, 0.991),
            (QueryShape.BLEND, 1_000, 450, 22_000, 0.998),
            (QueryShape.IMAGE, 120, 100, 1_728, 0.998),
            (QueryShape.IMAGE, 400, 100, 5_088, 0.998),
            (QueryShape.IMAGE, 1_000, 100, 12_288, 0.998),
        )
    ),
    exact_below=EXACT_BELOW,
)
