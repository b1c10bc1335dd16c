"""Lets transformers be imported without PyTorch's compiler and its distributed tensors.

transformers imports both with every model, and inference uses neither. They take half of the time
that a model takes to load. What transformers needs of the compiler while it is imported are three
decorators, which only mark functions for a compilation.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch.distributed

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILER = "torch._dynamo"
TRACING = "torch._dynamo._trace_wrapped_higher_order_op"
MARKERS = ("allow_in_graph", "assume_constant_result", "disable")
"""The compiler's decorators that leave a function as it is."""


_loading = RLock()
"""Held by the thread whose imports have the stand-in."""


@contextmanager
def deferred_compiler() -> Iterator[None]:
    """Let imports in the block have a stand-in for the compiler, unless it is imported already.

    Whatever else a module asks of the stand-in imports the compiler itself.
    """
    with _loading:
        if COMPILER in sys.modules:
            yield
            return
        stand_ins = {COMPILER: _Compiler(COMPILER), TRACING: _Tracing(TRACING)}
        sys.modules.update(stand_ins)
        try:
            # transformers asks once, and keeps the answer.
            with patch.object(torch.distributed, "is_available", return_value=False):
                yield
        finally:
            for name, stand_in in stand_ins.items():
                if sys.modules.get(name) is stand_in:
                    del sys.modules[name]


class _Compiler(ModuleType):
    """Stands in for ``torch._dynamo``."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a module
        if name in MARKERS:
            return _mark
        # The import system reads the path of a package before it imports a module of it.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        return getattr(_imported(COMPILER), name)


class _Tracing(ModuleType):
    """Stands in for the module of the context in which masks of attention are traced."""

    @staticmethod
    def TransformGetItemToIndex() -> Any:  # noqa: ANN401, N802 - a class of the module
        return _imported(TRACING).TransformGetItemToIndex()


def _mark(function: Any = None, *_: object, **__: object) -> Any:  # noqa: ANN401 - a decorator, with arguments or without
    return _mark if function is None else function


def _imported(name: str) -> ModuleType:
    """Import a module of the compiler itself."""
    for stand_in in (COMPILER, TRACING):
        if isinstance(sys.modules.get(stand_in), _Compiler | _Tracing):
            del sys.modules[stand_in]
    return import_module(name)
