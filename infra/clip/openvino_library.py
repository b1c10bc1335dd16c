"""Imports OpenVINO without its telemetry."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from infra.clip.engine import NotRunnableError

TELEMETRY = "openvino_telemetry"
"""The package by which OpenVINO's tools report their use. It asks for no consent."""


def import_openvino() -> Any:  # noqa: ANN401 - a module, whose functions have no types
    """Return the module ``openvino``. Raises NotRunnableError where it is missing."""
    # A module of None cannot be imported. OpenVINO then has a stub, which sends nothing.
    sys.modules.setdefault(TELEMETRY, None)  # type: ignore[arg-type]  # the annotation omits None
    try:
        return import_module("openvino")
    except ImportError as error:
        raise NotRunnableError(f"OpenVINO cannot be imported ({error})") from error
