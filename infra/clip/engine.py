"""What an engine does: it runs the two towers of a model, in batches. Every method blocks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels

EngineName: TypeAlias = Literal["auto", "openvino", "torch"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """A preprocessed picture: the keyword arguments of the image tower, as a batch of one."""

    tensors: Mapping[str, Any]  # Any: of torch or of NumPy, as the engine takes them


class Engine(Protocol):
    """Runs the towers of one model. The two that embed raise Overloaded where memory is short."""

    @property
    def name(self) -> EngineName:
        """How the engine is called in the settings."""

    @property
    def description(self) -> str:
        """The engine, the device and the precision, for people."""

    @property
    def image_batch_size(self) -> int:
        """The number of pictures in a batch beyond which this engine is hardly faster."""

    @property
    def input_side(self) -> int:
        """The shorter side, in pixels, to which the model resizes a picture."""

    @property
    def takes_centre_crop(self) -> bool:
        """Whether the model sees the middle square of a picture only."""

    def encode_texts(self, texts: list[str]) -> list[Embedding]:
        """Embed texts in one forward pass. Texts are truncated to the model's context length."""

    def preprocess(self, pixels: Pixels) -> ModelInput:
        """Resize, crop and normalise a picture as in the model's training. Threads may share it."""

    def encode_images(self, inputs: list[ModelInput]) -> list[Embedding]:
        """Embed pictures in one forward pass."""


class NotRunnableError(Exception):
    """An engine cannot run a model on this machine; the message says why."""


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON can contain and tokenizers reject."""
    return text.encode("utf-8", "replace").decode()


def next_power_of_two(number: int) -> int:
    """Return the lowest power of two that is not below a positive number."""
    return 1 << (number - 1).bit_length()


@contextmanager
def refusing_without_memory(is_shortage: Callable[[Exception], bool]) -> Iterator[None]:
    """Raise Overloaded where memory cannot be allocated, of the processor or of the device."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or is_shortage(error)):
            raise
        raise Overloaded(
            "The server has too little free memory for the model; try again in a moment."
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an exception's message, without a full stop, or else its name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
