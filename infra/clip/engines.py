"""Chooses the engine that runs a model: OpenVINO on CPUs, else torch."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Misconfigured
from infra.clip.converted_model import ModelCache
from infra.clip.engine import NotRunnableError
from infra.clip.openvino_engine import Compiler, convert, load_converted
from infra.clip.quantised_model import is_quantised, load_quantised

if TYPE_CHECKING:
    from domain.entities.embeddings import EmbeddingModel
    from infra.clip.engine import Engine, EngineName, Precision

GPU_FILES = (
    "dev/nvidia[0-9]*",
    "proc/driver/nvidia/version",
    "sys/module/nvidia",
    "dev/kfd",
    "dev/dxg",
)
"""What shows a GPU that torch supports on Linux: NVIDIA's, AMD's, those of WSL. NVIDIA's devices
may appear only when something uses them, and its driver is there before."""

ROOT = Path("/")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What is asked of an engine."""

    engine: EngineName = "auto"
    device: str = "auto"
    dtype: Precision = "auto"
    threads: int = 0
    """How many threads a forward pass has; 0 leaves it to the engine."""
    cache: ModelCache = ModelCache(())  # noqa: RUF009 - frozen


def load(name: str, options: EngineOptions) -> tuple[EmbeddingModel, Engine]:
    """Load a model, by its folder or its name on the hub, for the thread that calls.

    Raises Misconfigured, and Overloaded where memory is short.
    """
    if is_quantised(name):
        return _load_quantised(name, options)
    if options.engine == "torch" or not _runs_on_cpu(options):
        return _load_for_torch(name, options)
    try:
        compiler = Compiler.create(options.dtype, options.threads)
    except NotRunnableError as reason:
        _leave_to_torch(name, options, reason)
        return _load_for_torch(name, options)
    damaged: set[Path] = set()
    converted = load_converted(name, compiler, options.cache, damaged)
    return converted or _convert(name, options, compiler, damaged)


def _load_quantised(name: str, options: EngineOptions) -> tuple[EmbeddingModel, Engine]:
    if options.engine == "torch" or options.device.partition(":")[0] not in ("auto", "cpu"):
        raise Misconfigured(
            f"OpenVINO runs the quantised model {name}, on the CPU; set PICTOGRAPH_ENGINE and "
            "PICTOGRAPH_DEVICE to auto."
        )
    try:
        compiler = Compiler.create(options.dtype, options.threads)
    except NotRunnableError as reason:
        raise Misconfigured(
            f"Only OpenVINO runs the quantised model {name}, and {reason}."
        ) from reason
    return load_quantised(name, compiler, options.cache)


def _convert(
    name: str, options: EngineOptions, compiler: Compiler, damaged: set[Path]
) -> tuple[EmbeddingModel, Engine]:
    from infra.clip import torch_engine  # noqa: PLC0415 - a second to import

    model, dual = torch_engine.load(name, device="cpu", dtype="float32", threads=options.threads)
    try:
        return model, convert(name, dual, compiler, options.cache, damaged)
    except NotRunnableError as reason:
        _leave_to_torch(name, options, reason)
        return model, torch_engine.in_precision(dual, name, options.dtype)


def _leave_to_torch(name: str, options: EngineOptions, reason: NotRunnableError) -> None:
    """Log that torch runs a model, or raise Misconfigured if OpenVINO was asked for."""
    if options.engine == "openvino":
        raise Misconfigured(
            f"OpenVINO cannot run the model {name}: {reason}; "
            "set PICTOGRAPH_ENGINE to auto or to torch."
        ) from reason
    logger.warning("The model %s is left to torch: %s", name, reason)


def _runs_on_cpu(options: EngineOptions) -> bool:
    if options.device != "auto":
        is_cpu = options.device.partition(":")[0] == "cpu"
        if options.engine == "openvino" and not is_cpu:
            raise Misconfigured(
                f"OpenVINO runs models on the CPU, not on {options.device}; set PICTOGRAPH_DEVICE "
                "to cpu, or PICTOGRAPH_ENGINE to torch."
            )
        return is_cpu
    return options.engine == "openvino" or not has_gpu()


def has_gpu() -> bool:
    """Whether torch finds a GPU. It takes a second to import, and is asked only if there may be."""
    if sys.platform == "darwin":
        return False  # torch is asked for CUDA only
    if sys.platform == "linux" and not any(
        file for pattern in GPU_FILES for file in ROOT.glob(pattern)
    ):
        return False
    from infra.clip import torch_engine  # noqa: PLC0415

    return torch_engine.has_gpu()


def _load_for_torch(name: str, options: EngineOptions) -> tuple[EmbeddingModel, Engine]:
    from infra.clip import torch_engine  # noqa: PLC0415 - a second to import

    return torch_engine.load(
        name, device=options.device, dtype=options.dtype, threads=options.threads
    )
