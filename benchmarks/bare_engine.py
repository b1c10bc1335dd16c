"""The model's two towers through an inference engine alone: what the processor allows.

OpenVINO, where it is installed and the device is a CPU, else PyTorch in the fastest precision.
Inputs are tokens and normalised pixels that are in memory.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

INPUT_SIDE = 224
TOKENS_OF_WORDS = 1_000
"""Token ids below this one are those of words, in every vocabulary."""

MATRIX_SIDE = 2048
MATRIX_SECONDS = 0.5
TOWERS = ("text", "image")


class BareEngine(Protocol):
    """Runs the towers on arrays."""

    @property
    def name(self) -> str:
        """The engine, with its version and precision."""

    def texts(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of token ids: (texts, tokens) to (texts, dimensions)."""

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of pixels: (pictures, 3, side, side) to (pictures, dimensions)."""


@dataclass(frozen=True, slots=True)
class OpenVinoEngine:
    """The towers through OpenVINO, in the precision that it chooses for the processor."""

    name: str
    # Any: OpenVINO's compiled models have no types.
    text_tower: Any
    image_tower: Any

    def texts(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run the text tower."""
        return np.asarray(self.text_tower([tokens])[0])

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the image tower."""
        return np.asarray(self.image_tower([pixels])[0])


@dataclass(frozen=True, slots=True)
class TorchEngine:
    """The towers through PyTorch."""

    name: str
    model: Any  # of the class that transformers chooses
    device: torch.device
    dtype: torch.dtype

    def texts(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run the text tower."""
        return self._run(self.model.get_text_features, tokens, input_ids=True)

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the image tower."""
        return self._run(self.model.get_image_features, pixels, input_ids=False)

    def _run(
        self, tower: Callable[..., Any], values: NDArray[Any], *, input_ids: bool
    ) -> NDArray[np.float32]:
        import torch  # noqa: PLC0415 - slow to import

        given = torch.from_numpy(values).to(self.device)
        with torch.inference_mode():
            output = (
                tower(input_ids=given) if input_ids else tower(pixel_values=given.to(self.dtype))
            )
            return np.asarray(output.pooler_output.float().cpu().numpy())


def open_engine(checkpoint: Path, cache: Path) -> BareEngine:
    """Load the towers of a checkpoint. The converted towers are kept in ``cache``."""
    if find_spec("openvino"):
        return _open_openvino(checkpoint, cache)
    return open_torch(checkpoint, "cpu", best_cpu_dtype())


def open_torch(checkpoint: Path, device: str, dtype: torch.dtype) -> TorchEngine:
    """Load the towers of a checkpoint into PyTorch."""
    import torch  # noqa: PLC0415 - slow to import
    from transformers import AutoModel  # noqa: PLC0415 - the same

    model = AutoModel.from_pretrained(checkpoint, dtype=dtype).eval().to(device)
    return TorchEngine(f"PyTorch {torch.__version__}, {dtype}", model, torch.device(device), dtype)


def best_cpu_dtype() -> torch.dtype:
    """Return bfloat16 where the processor multiplies it faster than float32."""
    rates = cpu_rates()
    return max(rates, key=lambda dtype: rates[dtype])


def best_cpu_rate() -> float:
    """Return the operations per second of the processor in its fastest precision."""
    return max(cpu_rates().values())


def cpu_rates() -> dict[torch.dtype, float]:
    """Return the operations per second of the processor in each precision."""
    import torch  # noqa: PLC0415 - slow to import

    cpu = torch.device("cpu")
    return {dtype: matrix_rate(cpu, dtype) for dtype in (torch.float32, torch.bfloat16)}


def matrix_rate(
    device: torch.device,
    dtype: torch.dtype,
    *,
    side: int = MATRIX_SIDE,
    seconds: float = MATRIX_SECONDS,
) -> float:
    """Return the operations per second of a multiplication of square matrices."""
    import torch  # noqa: PLC0415 - slow to import

    one = torch.rand(side, side, device=device).to(dtype)

    def multiply() -> None:
        torch.mm(one, one)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    multiply()
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        multiply()
        fastest = min(fastest, time.perf_counter() - began)
    return 2 * side**3 / fastest


@cache
def random_tokens(texts: int, tokens: int, *, end_token: int) -> NDArray[np.int64]:
    """Return token ids of texts with ``tokens`` tokens each, the end token included."""
    ids = np.random.default_rng(0).integers(1, TOKENS_OF_WORDS, (texts, tokens))
    ids[:, -1] = end_token
    return np.asarray(ids, np.int64)


@cache
def random_pixels(pictures: int, *, side: int = INPUT_SIDE) -> NDArray[np.float32]:
    """Return normalised pixels of pictures."""
    return np.random.default_rng(0).standard_normal((pictures, 3, side, side), np.float32)


def operations_of_image(vision: Mapping[str, int]) -> float:
    """Return the multiplications and additions of the image tower for one picture.

    ``vision`` is the configuration of the tower, as transformers writes it.
    """
    patches = (vision["image_size"] // vision["patch_size"]) ** 2
    tokens, width = patches + 1, vision["hidden_size"]
    projections = tokens * width * (4 * width + 2 * vision["intermediate_size"])
    attention = 2 * tokens**2 * width
    embedding = patches * width * 3 * vision["patch_size"] ** 2
    return 2.0 * (vision["num_hidden_layers"] * (projections + attention) + embedding)


def _open_openvino(checkpoint: Path, cache: Path) -> OpenVinoEngine:
    openvino: Any = import_module("openvino")  # no types, slow, and not installed everywhere
    files = [cache / f"{name}.xml" for name in TOWERS]
    if not all(file.exists() for file in files):
        cache.mkdir(parents=True, exist_ok=True)
        _convert(checkpoint, dict(zip(TOWERS, files, strict=True)))
    core = openvino.Core()
    towers = [core.compile_model(file, "CPU", {"PERFORMANCE_HINT": "LATENCY"}) for file in files]
    precision = towers[0].get_property("INFERENCE_PRECISION_HINT").get_type_name()
    version = openvino.__version__.partition("-")[0]
    return OpenVinoEngine(f"OpenVINO {version}, {precision}", *towers)


def _convert(checkpoint: Path, files: dict[str, Path]) -> None:
    """Write each tower as OpenVINO reads it, with any number of texts, tokens and pictures."""
    # The converter reports to its vendor unless the package for it cannot be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    openvino: Any = import_module("openvino")
    import torch  # noqa: PLC0415 - slow to import
    from transformers import AutoModel  # noqa: PLC0415 - the same

    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()

    class Tower(torch.nn.Module):
        """One tower as a module. It has the model, so that the trace finds its weights."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.model = model
            self.name = name

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            run = getattr(self.model, f"get_{self.name}_features")
            return run(values).pooler_output  # type: ignore[no-any-return]

    tokens = random_tokens(2, 12, end_token=model.config.text_config.eos_token_id)
    pixels = random_pixels(2, side=model.config.vision_config.image_size)
    examples = {"text": torch.from_numpy(tokens), "image": torch.from_numpy(pixels)}
    with torch.inference_mode():
        for name, example in examples.items():
            converted = openvino.convert_model(Tower(name), example_input=example)
            openvino.save_model(converted, files[name], compress_to_fp16=False)
