"""Imports nncf without its telemetry."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from domain.errors import Misconfigured
from infra.clip.engine import NotRunnableError
from infra.clip.openvino_library import import_openvino


def import_nncf() -> Any:  # noqa: ANN401 - a module, whose functions have no types
    """Return the module ``nncf``. Raises Misconfigured where it or OpenVINO is missing."""
    try:
        # nncf has the same package for telemetry as OpenVINO, and a stub where that is missing.
        import_openvino()
        nncf = import_module("nncf")
    except NotRunnableError as reason:
        raise Misconfigured(f"Models are quantised for OpenVINO only, and {reason}.") from reason
    except ImportError as error:
        raise Misconfigured(
            f"Quantising a model needs nncf ({error}); install it in the checkout with "
            "`pip install --editable '.[int8]'`."
        ) from error
    # Not nncf.set_log_level, which also sets the level of handlers that are not its own.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf
