"""Quantises the image tower of a converted model to 8 bits, and measures what that costs."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.errors import Misconfigured
from infra.clip import probes
from infra.clip.converted_model import FACTS_FILE, IMAGE_TOWER, Facts, Probes
from infra.clip.engine import NotRunnableError
from infra.clip.model_files import CALIBRATION_FILE, find_files
from infra.clip.nncf_library import import_nncf
from infra.clip.openvino_engine import Compiler
from infra.clip.openvino_library import import_openvino
from infra.clip.quantised_model import QuantisedKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from domain.entities.images import Pixels
    from infra.clip.converted_model import ModelCache
    from infra.clip.openvino_engine import OpenVinoEngine

MIN_PICTURES = 64
"""Half of them calibrate, and half are held out to measure by."""

MAX_PICTURES = 500
MAX_CALIBRATION_PICTURES = 300

RECALL_DEPTH = 10


@dataclass(frozen=True, slots=True)
class QuantisationCost:
    """What quantisation changes, on pictures that it was not calibrated on."""

    calibrated: int
    held_out: int
    """How many pictures."""
    mean_cosine: float
    """Of the embeddings of a picture by the two models."""
    picture_recall: float
    """recall@10: how many of the 10 pictures that are nearest to a picture stay among the 10."""
    text_recall: float
    """The same of the pictures that are nearest to a text."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised model in the cache."""

    name: str
    cost: QuantisationCost


def quantise(
    name: str, pictures: Sequence[Pixels], texts: Sequence[str], cache: ModelCache
) -> Quantised:
    """Quantise a model that the cache has a conversion of.

    Some pictures calibrate: the ranges of activations are taken from them. The cost is measured by
    the others. Raises Misconfigured.
    """
    nncf = import_nncf()
    compiler = _compiler()
    files = find_files(name)
    source = next(cache.find(compiler.key(files)), None) if files else None
    if files is None or source is None:
        raise Misconfigured(
            f"The model {name} has no conversion for OpenVINO that could be quantised; set "
            "PICTOGRAPH_MODEL_CACHE to a folder that can be written, and PICTOGRAPH_ENGINE to auto."
        )
    original = compiler.compile(source)
    count = min(MAX_CALIBRATION_PICTURES, len(pictures) // 2)
    inputs = [original.preprocess(picture).tensors for picture in pictures[:count]]
    with TemporaryDirectory() as temporary:
        target = Path(temporary, "model")
        shutil.copytree(source, target)
        _copy_calibration(files.folder, target)
        _quantise_tower(nncf, source / IMAGE_TOWER, target / IMAGE_TOWER, inputs)
        _write_facts(original.facts, target)
        quantised = compiler.open(target)
        # Its own embeddings, which other machines have to compute.
        _write_facts(replace(original.facts, probes=Probes(*probes.embed(quantised))), target)
        key = QuantisedKey.of_files(target)
        with cache.writing(key) as folder:
            shutil.copytree(target, folder, dirs_exist_ok=True)
    cost = _cost(original, quantised, pictures[count:], texts)
    return Quantised(key.name_for(files.name), replace(cost, calibrated=count))


def _compiler() -> Compiler:
    try:
        return Compiler.create("auto", 0)
    except NotRunnableError as reason:
        raise Misconfigured(f"Models are quantised for OpenVINO only, and {reason}.") from reason


def _copy_calibration(checkpoint: Path, target: Path) -> None:
    if (checkpoint / CALIBRATION_FILE).exists():
        shutil.copy(checkpoint / CALIBRATION_FILE, target)


def _quantise_tower(nncf: Any, source: Path, target: Path, inputs: list[Any]) -> None:  # noqa: ANN401 - nncf has no types
    openvino = import_openvino()
    model = openvino.Core().read_model(source)
    # It draws progress bars, also where the output is a file.
    with redirect_stdout(io.StringIO()):
        quantised = nncf.quantize(
            model,
            nncf.Dataset(inputs, dict),
            subset_size=len(inputs),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
        )
    openvino.save_model(quantised, target, compress_to_fp16=True)


def _write_facts(facts: Facts, folder: Path) -> None:
    """Write what the model is, in place of what the folder had."""
    (folder / FACTS_FILE).unlink()
    facts.write(folder)


def _cost(
    original: OpenVinoEngine,
    quantised: OpenVinoEngine,
    pictures: Sequence[Pixels],
    texts: Sequence[str],
) -> QuantisationCost:
    before, after = _embed(original, pictures), _embed(quantised, pictures)
    queries = np.concatenate(
        [np.array(original.encode_texts([text]), np.float32) for text in texts]
    )
    return QuantisationCost(
        calibrated=0,
        held_out=len(pictures),
        mean_cosine=float((before * after).sum(axis=1).mean()),
        picture_recall=_recall(_to_others(before), _to_others(after)),
        text_recall=_recall(queries @ before.T, queries @ after.T),
    )


def _embed(engine: OpenVinoEngine, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    size = engine.image_batch_size
    inputs = [engine.preprocess(picture) for picture in pictures]
    batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
    return np.concatenate([np.array(engine.encode_images(each), np.float32) for each in batches])


def _to_others(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosines of each picture to the others, and -1 to itself."""
    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -1)
    return cosines


def _recall(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return recall@10 of rankings by two matrices of scores, (queries, pictures)."""
    pairs = zip(_nearest(expected), _nearest(found), strict=True)
    return float(np.mean([len({*left} & {*right}) / len(left) for left, right in pairs]))


def _nearest(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.argsort(-scores, axis=1)[:, :RECALL_DEPTH]
