"""Quantises a model by pictures of the library."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from domain.errors import Misconfigured
from pictograph.adapters import imaging, model_cache, open_encoder

if TYPE_CHECKING:
    from domain import LibraryUseCases
    from infra.clip.quantisation import Quantised
    from infra.settings import Settings

# ruff: noqa: PLC0415 - slow to import

TEXT_STEP = 10
"""Every tenth concept is a text by which recall is measured."""


async def quantise(settings: Settings, library: LibraryUseCases, name: str) -> Quantised:
    """Quantise a model, by its folder or its name on the hub, into the cache of converted models.

    Raises Misconfigured, also where the library has too few pictures to calibrate by.
    """
    from infra.clip.concepts import read_concepts
    from infra.clip.nncf_library import import_nncf
    from infra.clip.quantisation import MAX_PICTURES, MIN_PICTURES, quantise
    from infra.clip.quantised_model import is_quantised

    if is_quantised(name):
        raise Misconfigured(f"{name} is quantised already; give the model that it was made of.")
    # Missing libraries are told before pictures are decoded.
    import_nncf()
    # Loading converts the model, if it has not been.
    async with open_encoder(settings, name) as encoder:
        side, is_cropped = encoder.input_side, encoder.takes_centre_crop
    async with imaging(settings) as decoders:
        pictures = await library.sample_pictures(
            MAX_PICTURES, decoders.for_encoder(side, takes_centre_crop=is_cropped)
        )
    if len(pictures) < MIN_PICTURES:
        raise Misconfigured(
            f"Quantising a model needs {MIN_PICTURES} pictures of the library to calibrate by, and "
            f"{len(pictures)} can be read; add the model once there are more."
        )
    texts = read_concepts()[::TEXT_STEP]
    return await asyncio.to_thread(quantise, name, pictures, texts, model_cache(settings))
