"""Loading a checkpoint from a folder or the Hugging Face hub, or saying why that cannot be."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import huggingface_hub
import transformers
from huggingface_hub import errors

from domain.entities.embeddings import EmbeddingModel
from domain.entities.images import Pixels
from domain.entities.relevance import CLIP, Calibration, Curve
from domain.errors import Misconfigured
from infra.clip.dual_encoder import DualEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

REACH_SECONDS = 10.0
"""How long the hub may take to say that it knows a model."""

EXAMPLE = "openai/clip-vit-base-patch32"

CALIBRATION = "relevance.json"
"""A file beside the weights: ``{"text": {"midpoint": 7, "spread": 1.3}, "image": ...}``."""


def load(
    name: str, *, device: torch.device, dtype: torch.dtype
) -> tuple[EmbeddingModel, DualEncoder]:
    """Load a model by its folder, or by its name on the hub: from the cache, else the network.

    A folder's model is called by the folder's last part and a digest of its weights: it may move,
    and other weights are another model, whose embeddings cannot be compared. Raises
    Misconfigured, which says what is wrong and what to do.
    """
    folder = Path(name).expanduser()
    with _quietly():
        if folder.is_dir():
            if not (folder / "config.json").is_file():
                raise Misconfigured(
                    f"The folder {name} holds no config.json, so it holds no model; "
                    "give the folder that save_pretrained wrote."
                )
            dual = _read(str(folder), dtype, offline=True)
            called = f"{folder.resolve().name}@{digest(folder)}"
        elif name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise Misconfigured(
                f"There is no folder {name}; give a model's folder, "
                f"or its name on the Hugging Face hub, such as {EXAMPLE}."
            )
        else:
            dual = _from_hub(name, dtype)
            called = name
    dimensions = _try_out(dual, name, device)
    calibration = _calibration(folder) if folder.is_dir() else CLIP
    return EmbeddingModel(called, dimensions, dual.logit_scale, calibration), dual


def _from_hub(name: str, dtype: torch.dtype) -> DualEncoder:
    try:
        return _read(name, dtype, offline=True)
    except Misconfigured as refusal:
        # Files that are not there may be fetched; what is wrong in them stays wrong.
        if not isinstance(refusal.__cause__, OSError):
            raise
    _reach_hub(name)
    return _read(name, dtype, offline=False)


def _calibration(folder: Path) -> Calibration:
    """Return what ``relevance.json`` says beside the weights, or CLIP's calibration without it."""
    file = folder / CALIBRATION
    if not file.exists():
        return CLIP
    try:
        written = dict(json.loads(file.read_bytes()))
        background = written.pop("background", CLIP.background)
        curves = {kind: Curve(**curve) for kind, curve in written.items()}
        return Calibration(**curves, background=background)
    except (ValueError, TypeError, AttributeError) as error:
        raise Misconfigured(
            f"The file {file} is no calibration ({error}); write it anew with `python -m "
            "benchmarks.relevance`, or remove it for that of CLIP."
        ) from error


def digest(folder: Path) -> str:
    """Return eight hexadecimal digits that stand for a model's weights."""
    together = hashlib.sha256()
    for weights in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with weights.open("rb") as file:
            together.update(hashlib.file_digest(file, "sha256").digest())
    return together.hexdigest()[:8]


def _read(name: str, dtype: torch.dtype, *, offline: bool) -> DualEncoder:
    with _refusing(f"The configuration of the model {name} cannot be read"):
        config = transformers.AutoConfig.from_pretrained(name, local_files_only=offline)
    kind = transformers.MODEL_MAPPING.get(type(config), object)
    if not (hasattr(kind, "get_text_features") and hasattr(kind, "get_image_features")):
        raise Misconfigured(
            f"The model {name} is a {config.model_type}, which does not put texts and pictures "
            f"into one space; give a CLIP or SigLIP model, such as {EXAMPLE}."
        )
    with _refusing(f"The tokenizer of the model {name} cannot be read"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=offline)
        # Without its files a tokenizer loads all the same, and knows no word.
        if set(tokenizer.get_vocab().values()) <= set(tokenizer.all_special_ids):
            message = "its files are missing"
            raise FileNotFoundError(message)
    with _refusing(f"The image processor of the model {name} cannot be read"):
        image_processor = transformers.AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            name, local_files_only=offline
        )
    with _refusing(f"The weights of the model {name} cannot be read"):
        model, report = transformers.AutoModel.from_pretrained(
            name, dtype=dtype, local_files_only=offline, output_loading_info=True
        )
    # What is missing was made up from random numbers.
    if report["missing_keys"]:
        raise Misconfigured(
            f"The weights of the model {name} are not complete "
            f"({min(report['missing_keys'])} is missing); fetch it again."
        )
    return DualEncoder(model, tokenizer, image_processor)


def _try_out(dual: DualEncoder, name: str, device: torch.device) -> int:
    """Return the dimensions of what comes out, having seen that it does."""
    with _refusing(f"The model {name} does not run on {device}", "choose another model or device"):
        dual.model.to(device)
        black = dual.prepare(Pixels(1, 1, bytes(3)))
        vectors = [*dual.encode_texts(["a picture"]), *dual.encode_images([black])]
    [text, picture] = vectors
    if not all(isfinite(number) for vector in vectors for number in vector):
        raise Misconfigured(
            f"The model {name} makes vectors that are not numbers; its weights are damaged, "
            "or PICTOGRAPH_DTYPE has to be float32."
        )
    if len(text) != len(picture):
        raise Misconfigured(
            f"The model {name} does not put texts and pictures into one space "
            f"({len(text)} dimensions and {len(picture)}); give a CLIP or SigLIP model."
        )
    return len(text)


def _reach_hub(name: str) -> None:
    """Ask the hub for a model once: what loads files tries for half a minute and blames others."""
    try:
        huggingface_hub.HfApi().model_info(name, timeout=REACH_SECONDS)
    except errors.GatedRepoError as error:
        raise Misconfigured(
            f"The model {name} is gated; accept its terms on the Hugging Face hub, "
            "and set HF_TOKEN to a token of the account that did."
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise Misconfigured(
            f"Neither a folder nor a model on the Hugging Face hub is called {name}; "
            "check the spelling, or set HF_TOKEN if the model is private."
        ) from error
    except Exception as error:
        # Whichever way the network fails, there is one way out.
        raise Misconfigured(
            f"The model {name} is not in the cache, and the Hugging Face hub cannot be reached "
            f"({_first_line(error)}); connect once, or give the folder of a model."
        ) from error


@contextmanager
def _refusing(sentence: str, way_out: str = "fetch it again") -> Iterator[None]:
    """Turn whatever goes wrong, and libraries raise anything here, into a refusal with a reason."""
    try:
        yield
    except Exception as error:
        raise Misconfigured(f"{sentence} ({_first_line(error)}); {way_out}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the libraries' bars and advice off the terminal: what matters becomes a refusal."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    had_bars = transformers.logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    # The hub's bars follow.
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if had_bars:
            transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
