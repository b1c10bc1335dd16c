"""Loads a checkpoint from a folder or the Hugging Face hub, and explains every failure."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING

import huggingface_hub
import transformers
from huggingface_hub import errors

from domain.entities.embeddings import EmbeddingModel
from domain.entities.images import Pixels
from domain.errors import Misconfigured, Remedy
from infra.clip.deferred_compiler import deferred_compiler
from infra.clip.dual_encoder import DualEncoder
from infra.clip.engine import first_line
from infra.clip.model_files import EXAMPLE_MODEL, local_folder, local_name, read_calibration

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

HUB_TIMEOUT_SECONDS = 10.0
"""The timeout of the request that asks the hub whether a model exists."""


def load(
    name: str, *, device: torch.device, dtype: torch.dtype
) -> tuple[EmbeddingModel, DualEncoder]:
    """Load a model by its folder, or by its name on the hub: from the cache, else the network.

    Raises Misconfigured.
    """
    folder = local_folder(name)
    with quiet_libraries(), deferred_compiler():
        if folder:
            dual = _load_pretrained(str(folder), dtype, offline=True)
        else:
            dual = _load_from_hub(name, dtype)
    dimensions = check_forward_pass(dual, name, device)
    model_name = local_name(folder) if folder else name
    return EmbeddingModel(model_name, dimensions, dual.logit_scale, read_calibration(name)), dual


def _load_from_hub(name: str, dtype: torch.dtype) -> DualEncoder:
    try:
        return _load_pretrained(name, dtype, offline=True)
    except Misconfigured as refusal:
        # A missing file can be downloaded. A damaged one would be read from the cache again.
        if not isinstance(refusal.__cause__, OSError):
            raise
    _check_hub(name)
    return _load_pretrained(name, dtype, offline=False)


def _load_pretrained(name: str, dtype: torch.dtype, *, offline: bool) -> DualEncoder:
    with _translating_errors(f"The configuration of the model {name} cannot be read"):
        config = transformers.AutoConfig.from_pretrained(name, local_files_only=offline)
    model_class = transformers.MODEL_MAPPING.get(type(config), object)
    if not (
        hasattr(model_class, "get_text_features") and hasattr(model_class, "get_image_features")
    ):
        raise Misconfigured(
            f"The model {name} is a {config.model_type}, which does not put texts and pictures "
            f"into one space; give a CLIP or SigLIP model, such as {EXAMPLE_MODEL}."
        )
    with _translating_errors(f"The tokenizer of the model {name} cannot be read"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=offline)
        # A tokenizer without its files loads without an error, but has an empty vocabulary.
        if set(tokenizer.get_vocab().values()) <= set(tokenizer.all_special_ids):
            message = "its files are missing"
            raise FileNotFoundError(message)
    with _translating_errors(f"The image processor of the model {name} cannot be read"):
        image_processor = transformers.AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            # Pillow, also where torchvision is installed: their pixels differ.
            name,
            backend="pil",
            local_files_only=offline,
        )
    with _translating_errors(f"The weights of the model {name} cannot be read"):
        model, report = transformers.AutoModel.from_pretrained(
            name, dtype=dtype, local_files_only=offline, output_loading_info=True
        )
    # transformers initializes missing weights with random numbers.
    if report["missing_keys"]:
        raise Misconfigured(
            f"The weights of the model {name} are not complete "
            f"({min(report['missing_keys'])} is missing); fetch it again."
        )
    return DualEncoder(model, tokenizer, image_processor)


def check_forward_pass(dual: DualEncoder, name: str, device: torch.device) -> int:
    """Encode a text and a picture on the device, and return the number of dimensions."""
    with _translating_errors(
        f"The model {name} does not run on {device}", "choose another model or device"
    ):
        dual.model.to(device)
        black = dual.preprocess(Pixels(1, 1, bytes(3)))
        vectors = [*dual.encode_texts(["a picture"]), *dual.encode_images([black])]
    [text, picture] = vectors
    if not all(isfinite(number) for vector in vectors for number in vector):
        raise Misconfigured(
            f"The embeddings of the model {name} contain NaN or infinity; "
            "set PICTOGRAPH_DTYPE to float32, or fetch the model again if its weights are damaged."
        )
    if len(text) != len(picture):
        raise Misconfigured(
            f"The model {name} does not put texts and pictures into one space "
            f"({len(text)} dimensions and {len(picture)}); give a CLIP or SigLIP model."
        )
    return len(text)


def _check_hub(name: str) -> None:
    """Ask the hub whether it has a model.

    Without this check, ``from_pretrained`` retries for half a minute when the hub is unreachable,
    and then reports a missing file.
    """
    try:
        huggingface_hub.HfApi().model_info(name, timeout=HUB_TIMEOUT_SECONDS)
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
        # Networks fail with many exceptions, and the advice is the same for all of them.
        raise Misconfigured(
            f"The model {name} is not in the cache, and the Hugging Face hub cannot be reached "
            f"({first_line(error)}); connect to the network once, or set PICTOGRAPH_MODEL to a "
            "folder with a model."
        ).with_remedy(Remedy.USE_BUNDLED_MODEL) from error


@contextmanager
def _translating_errors(sentence: str, advice: str = "fetch it again") -> Iterator[None]:
    """Raise Misconfigured for any exception: transformers documents none."""
    try:
        yield
    except Exception as error:
        raise Misconfigured(f"{sentence} ({first_line(error)}); {advice}.") from error


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence progress bars and warnings of the libraries: problems are raised as Misconfigured."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    had_progress_bars = transformers.logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    # This disables the progress bars of huggingface_hub too.
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if had_progress_bars:
            transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
