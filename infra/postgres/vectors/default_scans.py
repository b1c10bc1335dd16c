"""The table of scan parameters of a library that was not tuned.

Measured on 33,256 recorded vectors of CLIP ViT-B/32, with one build of the index. The values of
texts at 120 hits were chosen on 662 recorded texts, and checked on 662 others, which reached:

========= ====== ========
ef_search chosen held out
========= ====== ========
      300   .983     .978
      450   .989     .988
      600   .992     .991
========= ====== ========

At 400 hits, 450 takes 1.3 times as long as 600, as it continues once. Blends have the values of
texts. ``python -m benchmarks.tune`` measures all rows again, as ``pictograph tune`` does.
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
