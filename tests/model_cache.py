"""One cache of converted models for all tests of a run: each checkpoint is converted once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from infra.clip.converted_model import ModelCache
from infra.clip.engines import EngineOptions

if TYPE_CHECKING:
    from infra.clip.engine import EngineName, Precision


def engine_options(
    engine: EngineName = "auto",
    *,
    device: str = "auto",
    dtype: Precision = "auto",
    threads: int = 0,
) -> EngineOptions:
    """Options with the cache that tests/conftest.py names for this process and its children."""
    cache = ModelCache((Path(os.environ["XDG_CACHE_HOME"], "pictograph"),))
    return EngineOptions(engine, device=device, dtype=dtype, threads=threads, cache=cache)
