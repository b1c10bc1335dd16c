"""Finds the files of a model, in a folder or in the hub's cache, and names it by them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain.entities.relevance import CLIP, Calibration, Curve
from domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLE_MODEL = "openai/clip-vit-base-patch32"

CALIBRATION_FILE = "relevance.json"
"""The name of the calibration beside the weights, which has a curve for each kind of query:
``{"text": {"midpoint": 7, "spread": 1.3}, "image": ...}``."""

CONFIGURATION = "config.json"
WEIGHTS = ("*.safetensors", "*.bin")
PARTS = (*WEIGHTS, "*.json", "*.model", "*.txt")
"""Patterns of the files that decide what a model computes."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model that is on this machine."""

    folder: Path
    name: str
    """The name of the model in the library."""
    digests: Mapping[str, bytes]
    """The SHA-256 of each file that decides what the model computes, by the file's name."""

    @property
    def digest(self) -> str:
        """A SHA-256 over all of them, in hexadecimal."""
        lines = (f"{digest.hex()} {name}\n" for name, digest in sorted(self.digests.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_files(name: str) -> ModelFiles | None:
    """Find a model by its folder or by its name on the hub; None if it has to be downloaded.

    Raises Misconfigured if there cannot be such a model.
    """
    folder = local_folder(name)
    if folder is None:
        snapshot = _snapshot(name)
        return ModelFiles(snapshot, name, _digests(snapshot)) if snapshot else None
    digests = _digests(folder)
    return ModelFiles(folder, local_name(folder, digests), digests)


def local_folder(name: str) -> Path | None:
    """Return the folder that is meant, or None for a name on the hub. Raises Misconfigured."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / CONFIGURATION).is_file():
            raise Misconfigured(
                f"The folder {name} holds no config.json, so it holds no model; "
                "give the folder that save_pretrained wrote."
            )
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise Misconfigured(
            f"There is no folder {name}; give a model's folder, "
            f"or its name on the Hugging Face hub, such as {EXAMPLE_MODEL}."
        )
    return None


def local_name(folder: Path, digests: Mapping[str, bytes] | None = None) -> str:
    """Return the name of a folder's model: the folder's last part and a digest of its weights.

    The name survives a move of the folder. Other weights give another name, because embeddings of
    different weights cannot be compared. ``digests`` are those of the files, if they are known.
    """
    return f"{folder.resolve().name}@{weights_digest(folder, digests)}"


def weights_digest(folder: Path, digests: Mapping[str, bytes] | None = None) -> str:
    """Return the first eight hexadecimal digits of a SHA-256 over a model's weights."""
    digests = digests or _digests(folder, WEIGHTS)
    sha256 = hashlib.sha256()
    for name in sorted(name for name in digests if any(map(Path(name).match, WEIGHTS))):
        sha256.update(digests[name])
    return sha256.hexdigest()[:8]


def read_calibration(name: str) -> Calibration:
    """Return the calibration beside the weights, by default that of CLIP."""
    file = Path(name).expanduser() / CALIBRATION_FILE
    if not file.exists():
        return CLIP
    try:
        content = dict(json.loads(file.read_bytes()))
        background = content.pop("background", CLIP.background)
        curves = {kind: Curve(**curve) for kind, curve in content.items()}
        return Calibration(**curves, background=background)
    except (ValueError, TypeError, AttributeError) as error:
        raise Misconfigured(
            f"The file {file} is no calibration ({error}); write it again with `python -m "
            "benchmarks.relevance`, or remove it to use the calibration of CLIP."
        ) from error


def _digests(folder: Path, patterns: tuple[str, ...] = PARTS) -> dict[str, bytes]:
    digests = {}
    for path in {path for pattern in patterns for path in folder.glob(pattern)}:
        if path.is_file() and path.name != CALIBRATION_FILE:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").digest()
    return digests


def _snapshot(name: str) -> Path | None:
    """Return the folder of a model in the hub's cache, if it is there."""
    import huggingface_hub  # noqa: PLC0415 - slow to import, and not needed for folders

    try:
        file = huggingface_hub.try_to_load_from_cache(name, CONFIGURATION)
    except huggingface_hub.errors.HFValidationError:
        return None
    return Path(file).parent if isinstance(file, str) else None
