"""The engine OpenVINO: runs converted towers on the CPU, without torch and transformers."""

from __future__ import annotations

import logging
import mmap as memory_maps
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_COPY, mmap
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.entities.embeddings import EmbeddingModel
from domain.errors import Overloaded
from infra.clip import probes
from infra.clip.converted_model import (
    FORMAT_VERSION,
    IMAGE_TOWER,
    TEXT_TOWER,
    ConversionKey,
    DamagedError,
    Facts,
)
from infra.clip.engine import (
    ModelInput,
    NotRunnableError,
    first_line,
    next_power_of_two,
    refusing_without_memory,
)
from infra.clip.model_files import find_files, read_calibration
from infra.clip.openvino_library import import_openvino
from infra.clip.tokenization import load_tokenizer, pad_to_step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from numpy.typing import NDArray

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels
    from infra.clip.converted_model import ModelCache, Weights
    from infra.clip.dual_encoder import DualEncoder
    from infra.clip.engine import EngineName, Precision
    from infra.clip.model_files import ModelFiles
    from infra.clip.tokenization import Tokenizer

IMAGE_BATCH_SIZE = 4
"""Larger batches are hardly faster, and a search waits for the batch that runs."""

MIN_COSINE = 0.999
"""Of a converted model that computes in float32, with its checkpoint."""

MIN_COSINE_IN_16_BITS = 0.99
"""The same where it also computes in 16 bits. Deep models differ by more than small ones, and torch
would be no closer."""

MADV_DONTNEED: int | None = getattr(memory_maps, "MADV_DONTNEED", None)
"""None where the system has no such advice."""

DEVICE = "CPU"
PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
INSTRUCTIONS = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}
"""OpenVINO's names of the precisions, and of a processor's instructions for them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenVinoEngine:
    """The compiled towers, with the tokenizer and the preprocessing."""

    facts: Facts
    precision: str
    tokenizer: Tokenizer
    # Any: OpenVINO's requests have no types.
    text_request: Any
    image_request: Any
    weights: tuple[MappedWeights, ...]
    """What the towers read. It has to stay for as long as they do."""

    @property
    def name(self) -> EngineName:
        return "openvino"

    @property
    def description(self) -> str:
        return f"OpenVINO on the CPU in {self.precision}"

    @property
    def image_batch_size(self) -> int:
        return IMAGE_BATCH_SIZE

    @property
    def input_side(self) -> int:
        return self.facts.preprocessing.input_side

    @property
    def takes_centre_crop(self) -> bool:
        return self.facts.preprocessing.crop is not None

    def encode_texts(self, texts: list[str]) -> list[Embedding]:
        return _embeddings(self.text_request, pad_to_step(self.tokenizer(texts), self.facts.tokens))

    def preprocess(self, pixels: Pixels) -> ModelInput:
        return ModelInput({"pixel_values": self.facts.preprocessing(pixels)})

    def encode_images(self, inputs: list[ModelInput]) -> list[Embedding]:
        names = inputs[0].tensors
        batch = {name: np.concatenate([each.tensors[name] for each in inputs]) for name in names}
        return _embeddings(self.image_request, batch)


def load_converted(
    name: str, compiler: Compiler, cache: ModelCache, damaged: set[Path]
) -> tuple[EmbeddingModel, OpenVinoEngine] | None:
    """Load a model that is in the cache. Adds the folders of damaged conversions to ``damaged``.

    Raises Misconfigured where there can be no such model, and Overloaded.
    """
    files = find_files(name)
    if files is None:
        return None
    for folder in cache.find(compiler.key(files)):
        try:
            engine = compiler.compile(folder)
        except DamagedError as damage:
            logger.warning("A conversion of the model %s is damaged: %s", name, damage)
            damaged.add(folder)
            continue
        facts, calibration = engine.facts, read_calibration(name)
        model = EmbeddingModel(files.name, facts.dimensions, facts.logit_scale, calibration)
        return model, engine
    return None


def convert(
    name: str,
    dual: DualEncoder,
    compiler: Compiler,
    cache: ModelCache,
    damaged: AbstractSet[Path] = frozenset(),
) -> OpenVinoEngine:
    """Convert a model that torch runs on the CPU in float32, into the cache.

    The conversion replaces one that is among ``damaged``. Raises NotRunnableError and Overloaded.
    """
    logger.info("Converting the model %s for OpenVINO, once", name)
    with _explaining("its conversion fails"):
        # It imports torch and transformers, which a converted model does without.
        from infra.clip import conversion  # noqa: PLC0415

        converted = conversion.convert(dual)
        files = find_files(name)
        with cache.writing(compiler.key(files) if files else None, damaged) as folder:
            converted.write(folder, compiler.weights)
            return compiler.compile(folder)


@contextmanager
def _explaining(what: str) -> Iterator[None]:
    """Raise NotRunnableError for whatever goes wrong, except where memory is short.

    torch can run a model whatever OpenVINO, a disk or an unusual checkpoint raises.
    """
    try:
        yield
    except (NotRunnableError, Overloaded, MemoryError):
        raise
    except Exception as error:
        raise NotRunnableError(f"{what} ({first_line(error)})") from error


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles towers for this processor."""

    core: Any  # OpenVINO has no types
    version: str
    dtype: str
    options: dict[str, Any]

    @classmethod
    def create(cls, dtype: Precision, threads: int) -> Compiler:
        """Choose the options. Raises NotRunnableError."""
        openvino = import_openvino()
        with _explaining("OpenVINO finds no processor"):
            core = openvino.Core()
            native = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        if dtype == "auto":
            dtype = "bfloat16" if INSTRUCTIONS["bfloat16"] in native else "float32"
        elif INSTRUCTIONS[dtype] not in native:
            raise NotRunnableError(f"this processor has no instructions for {dtype}")
        options = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[dtype],
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned threads of two servers would share processors while others are idle.
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        return cls(core, openvino.__version__, dtype, options)

    def key(self, files: ModelFiles) -> ConversionKey:
        """Return the key that the conversion of a model has in the cache."""
        return ConversionKey(files.digest, f"{FORMAT_VERSION} {self.version}", self.weights)

    @property
    def weights(self) -> Weights:
        """The precision that weights are stored in.

        float16 has three more bits than bfloat16, and suffices wherever 16 bits are computed in.
        """
        return "float32" if self.dtype == "float32" else "float16"

    @property
    def min_cosine(self) -> float:
        """The lowest cosine of a converted model with its checkpoint."""
        return MIN_COSINE if self.dtype == "float32" else MIN_COSINE_IN_16_BITS

    def compile(self, folder: Path, *, min_cosine: float | None = None) -> OpenVinoEngine:
        """Compile the model in a folder, and compare its embeddings with the probes that it has.

        Raises DamagedError, and Overloaded, which says nothing of the files.
        """
        try:
            engine = self.open(folder)
            texts, pictures = probes.embed(engine)
        except (DamagedError, Overloaded):
            raise
        # Neither OpenVINO nor the tokenizers document what they raise for a damaged file.
        except Exception as error:
            raise DamagedError(f"{folder} cannot be read ({first_line(error)})") from error
        expected = engine.facts.probes
        cosine = min(
            probes.lowest_cosine(expected.texts, texts),
            probes.lowest_cosine(expected.pictures, pictures),
        )
        if not cosine >= (min_cosine or self.min_cosine):  # also where it is NaN
            raise DamagedError(f"{folder} has a cosine of {cosine:.4f} to its checkpoint")
        for weights in engine.weights:
            weights.release()
        return engine

    def open(self, folder: Path) -> OpenVinoEngine:
        """Compile the model in a folder.

        Raises DamagedError, Overloaded, and whatever OpenVINO and the tokenizers raise.
        """
        facts = Facts.read(folder)
        with refusing_without_memory(_is_shortage):
            text, image = (MappedWeights.of(folder / each) for each in (TEXT_TOWER, IMAGE_TOWER))
            return OpenVinoEngine(
                facts,
                self.dtype,
                load_tokenizer(folder, facts.tokens),
                self._request(folder / TEXT_TOWER, text),
                self._request(folder / IMAGE_TOWER, image),
                (text, image),
            )

    def _request(self, tower: Path, weights: MappedWeights) -> Any:  # noqa: ANN401 - OpenVINO has no types
        model = self.core.read_model(tower.read_text("utf-8"), weights.tensor)
        return self.core.compile_model(model, DEVICE, self.options).create_infer_request()


@dataclass(frozen=True, slots=True)
class MappedWeights:
    """The weights of a tower, mapped from their file.

    OpenVINO keeps what it computes with in an order of its own, which it makes in the first forward
    pass. From then on it reads little more than the embeddings of tokens.
    """

    pages: mmap
    tensor: Any  # OpenVINO has no types

    @classmethod
    def of(cls, tower: Path) -> MappedWeights:
        """Map the file beside the description of a tower."""
        with tower.with_suffix(".bin").open("rb") as file:
            # Not ACCESS_READ: OpenVINO takes arrays that can be written only. It writes nothing.
            pages = mmap(file.fileno(), 0, access=ACCESS_COPY)
        array = np.frombuffer(pages, np.uint8)
        return cls(pages, import_openvino().Tensor(array, shared_memory=True))

    def release(self) -> None:
        """Free the memory of all pages. Those that are read again are read from the file again."""
        if MADV_DONTNEED is not None:
            self.pages.madvise(MADV_DONTNEED)


def _embeddings(request: Any, inputs: dict[str, NDArray[Any]]) -> list[Embedding]:  # noqa: ANN401 - OpenVINO has no types
    """Run a tower, and return its features at length 1.

    OpenVINO compiles for each new shape, and keeps what it has compiled. So batches have one of a
    few sizes: the last row is repeated.
    """
    size = len(next(iter(inputs.values())))
    rows = np.minimum(np.arange(next_power_of_two(size)), size - 1)
    with refusing_without_memory(_is_shortage):
        batch = {name: tensor[rows] for name, tensor in inputs.items()}
        features = next(iter(request.infer(batch).values()))[:size]
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        return [tuple(vector) for vector in (features / np.maximum(lengths, 1e-12)).tolist()]


def _is_shortage(error: Exception) -> bool:
    # OpenVINO reports everything as a RuntimeError.
    return "bad_alloc" in str(error) or "allocate" in str(error)
