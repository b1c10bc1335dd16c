"""Imports nncf without its telemetry."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from domain.errors import Misconfigured
from infra.clip.openvino_library import import_openvino


def import_nncf() -> Any:  # noqa: ANN401 - a module, whose functions have no types
    """Return the module ``nncf``. Raises Misconfigured where it is missing."""
    # It has the same package for telemetry as OpenVINO, and a stub where that is missing.
    import_openvino()
    try:
        nncf = import_module("nncf")
    except ImportError as error:
        raise Misconfigured(
            f"Quantising a model needs nncf ({error}); install it with "
            "`pip install 'pictograph[int8]'`."
        ) from error
    nncf.set_log_level(logging.ERROR)
    return nncf
