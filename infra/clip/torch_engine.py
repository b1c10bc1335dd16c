"""Chooses device and precision of torch, and loads a model for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from domain.errors import Misconfigured
from infra.clip import checkpoint

if TYPE_CHECKING:
    from domain.entities.embeddings import EmbeddingModel
    from infra.clip.dual_encoder import DualEncoder
    from infra.clip.engine import Precision

BFLOAT16_CPU_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16")
"""The names of the x86 and ARM instruction sets for bfloat16 in ``torch.cpu``."""


def load(
    name: str, *, device: str, dtype: Precision, threads: int
) -> tuple[EmbeddingModel, DualEncoder]:
    """Load a model for the thread that calls, which is to run it. Raises Misconfigured.

    OpenMP has a team of threads for each thread that calls it. The teams of one that loads and of
    another that runs a model would compete for the processors.
    """
    if threads:
        torch.set_num_threads(threads)
    torch_device = _device(device)
    return checkpoint.load(name, device=torch_device, dtype=_dtype(dtype, torch_device))


def in_precision(dual: DualEncoder, name: str, dtype: Precision) -> DualEncoder:
    """Have a loaded model run in another precision. Raises Misconfigured if it cannot."""
    device = dual.model.device
    dual.model.to(_dtype(dtype, device))
    checkpoint.check_forward_pass(dual, name, device)
    return dual


def has_gpu() -> bool:
    """Whether torch finds a GPU."""
    return torch.cuda.is_available()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if has_gpu() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise Misconfigured(
            f"torch finds no device {name} on this machine; "
            "set PICTOGRAPH_DEVICE to auto or to cpu."
        ) from error


def _dtype(name: Precision, device: torch.device) -> torch.dtype:
    if name != "auto":
        return {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(name) for name in BFLOAT16_CPU_CAPABILITIES)
    return torch.bfloat16 if native else torch.float32
