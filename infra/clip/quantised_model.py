"""Quantised models: their names, and their files in the cache of converted models."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain.entities.embeddings import EmbeddingModel
from domain.errors import Misconfigured
from infra.clip.converted_model import IMAGE_TOWER, TEXT_TOWER, DamagedError, Facts
from infra.clip.model_files import read_calibration

if TYPE_CHECKING:
    from infra.clip.converted_model import ModelCache
    from infra.clip.openvino_engine import Compiler, OpenVinoEngine

MARK = "+int8@"
"""What the name of a quantised model has between the name of its model and the digest."""

DIGEST_LENGTH = 16
"""In hexadecimal digits."""

MIN_QUANTISED_COSINE = 0.99
"""Of the embeddings of a quantised model with those that it had where it was made. Processors
round differently."""


@dataclass(frozen=True, slots=True)
class QuantisedKey:
    """The key of a quantised model in the cache: the digest of its files."""

    digest: str

    @classmethod
    def of_name(cls, name: str) -> QuantisedKey:
        """Return the key of the model with this name."""
        return cls(name.rpartition(MARK)[2])

    @classmethod
    def of_files(cls, folder: Path) -> QuantisedKey:
        """Return the key of the model in a folder: a digest of all that decides what it computes.

        Raises OSError.
        """
        tokens = Facts.read(folder).tokens
        towers = [Path(tower) for tower in (TEXT_TOWER, IMAGE_TOWER)]
        weights = [tower.with_suffix(".bin") for tower in towers]
        digest = hashlib.sha256()
        for path in (*towers, *weights, Path(tokens.file)):
            with (folder / path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return cls(digest.hexdigest()[:DIGEST_LENGTH])

    @property
    def folder(self) -> str:
        """The name of the model's folder in a cache."""
        return f"int8-{self.digest}"

    def replaces(self, folder: str) -> bool:  # noqa: ARG002 - a key has this method
        """Return False: vectors by another quantised model may be in use."""
        return False

    def name_for(self, model: str) -> str:
        """Return the name of the quantised model that was made of a model."""
        return f"{model}{MARK}{self.digest}"


def is_quantised(name: str) -> bool:
    """Whether this is the name of a quantised model."""
    return MARK in name


def load_quantised(
    name: str, compiler: Compiler, cache: ModelCache
) -> tuple[EmbeddingModel, OpenVinoEngine]:
    """Load a quantised model from the cache.

    It is never made anew: another sample of pictures would give another model. Raises Misconfigured
    where it is missing, and Overloaded.
    """
    key = QuantisedKey.of_name(name)
    reasons = []
    for folder in cache.find(key):
        try:
            return _load(name, key, folder, compiler)
        except (DamagedError, OSError) as damage:
            reasons.append(str(damage))
    where = " or ".join(str(folder / key.folder) for folder in cache.folders)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    raise Misconfigured(
        f"The quantised model {name} is not at {where}{why}; copy the folder {key.folder} from the "
        "PICTOGRAPH_MODEL_CACHE of the machine where it was added."
    )


def _load(
    name: str, key: QuantisedKey, folder: Path, compiler: Compiler
) -> tuple[EmbeddingModel, OpenVinoEngine]:
    if QuantisedKey.of_files(folder) != key:
        raise DamagedError(f"the files in {folder} have changed")
    engine = compiler.compile(folder, min_cosine=MIN_QUANTISED_COSINE)
    facts, calibration = engine.facts, read_calibration(str(folder))
    return EmbeddingModel(name, facts.dimensions, facts.logit_scale, calibration), engine
