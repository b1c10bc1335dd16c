"""What Pictograph does, in plain Python: the use cases, and the one place that wires them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.wiring import (
        LibraryPorts,
        LibraryUseCases,
        Limits,
        ModelUseCases,
        Ports,
        UseCases,
        build_library_use_cases,
        build_model_use_cases,
        build_use_cases,
    )

__all__ = [
    "LibraryPorts",
    "LibraryUseCases",
    "Limits",
    "ModelUseCases",
    "Ports",
    "UseCases",
    "build_library_use_cases",
    "build_model_use_cases",
    "build_use_cases",
]


def __getattr__(name: str) -> object:
    """Import the use cases when they are wired.

    A decoder process imports errors and entities only, and so starts in half of the time.
    """
    if name in __all__:
        return getattr(import_module("domain.wiring"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
