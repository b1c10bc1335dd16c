"""Preprocesses pictures as the image processors of CLIP and SigLIP do, with Pillow and NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from infra.clip.engine import NotRunnableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from domain.entities.images import Pixels

DECISIVE_METHODS = frozenset(
    {"preprocess", "process_image", "_preprocess", "resize", "center_crop", "rescale", "normalize"}
)
"""The methods of an image processor of transformers that decide what the model sees."""

COMMON_BACKEND = "PilBackend"
"""The class of transformers with the steps that are reproduced here."""


@dataclass(frozen=True)  # no slots: the table is computed once
class Preprocessing:
    """The steps of an image processor: resize, crop to the middle, and normalise.

    The result equals that of transformers in every bit.
    """

    shortest_edge: int | None
    """The side to which the shorter side is resized; None resizes to ``size``."""
    size: tuple[int, int] | None
    """Height and width to which a picture is resized, whatever its aspect ratio."""
    crop: tuple[int, int] | None
    """Height and width of the middle that remains; smaller pictures get a black border."""
    resample: int
    rescale_factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, processor: Any) -> Preprocessing:  # noqa: ANN401 - any image processor
        """Read the parameters of an image processor of transformers. Raises NotRunnableError."""
        kind = type(processor)
        own_steps = {
            step
            for each in _own_classes(kind)
            for step in DECISIVE_METHODS.intersection(vars(each))
        }
        size = processor.size
        side = size and size.shortest_edge and not size.longest_edge
        square = size and size.height and size.width
        understood = (
            not own_steps
            and any(each.__name__ == COMMON_BACKEND for each in kind.__mro__)
            and (side or square)
            and processor.do_resize
            and processor.do_rescale
            and processor.do_normalize
            and not getattr(processor, "do_pad", None)
        )
        if not understood:
            raise NotRunnableError(f"the image processor {kind.__name__} has steps of its own")
        crop = processor.crop_size if getattr(processor, "do_center_crop", None) else None
        return cls(
            shortest_edge=int(size.shortest_edge) if side else None,
            size=None if side else (int(size.height), int(size.width)),
            crop=(int(crop.height), int(crop.width)) if crop else None,
            resample=int(processor.resample),
            rescale_factor=float(processor.rescale_factor),
            mean=tuple(processor.image_mean),
            deviation=tuple(processor.image_std),
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Preprocessing:
        """Return the steps that ``dataclasses.asdict`` has described, read from JSON."""
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
        return cls(**(dict(content) | lists))

    @property
    def input_side(self) -> int:
        """The shorter side, in pixels, to which a picture is resized."""
        return self.shortest_edge or max(self.size or ())

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        """What each value of a channel becomes: (channels, 256)."""
        # In the precisions of transformers: rescaled in float64, normalised in float32.
        rescaled = (np.arange(256, dtype=np.float64) * self.rescale_factor).astype(np.float32)
        mean, deviation = (np.array(each, np.float32) for each in (self.mean, self.deviation))
        return (rescaled - mean[:, None]) / deviation[:, None]

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return a batch of one picture: (1, channels, height, width)."""
        image = Image.frombuffer("RGB", (pixels.width, pixels.height), pixels.rgb)
        height, width = self.size or self._scaled(image)
        image = image.resize((width, height), resample=Image.Resampling(self.resample))
        if self.crop:
            # Floor division also below 0, where a border is added.
            top, left = (height - self.crop[0]) // 2, (width - self.crop[1]) // 2
            image = image.crop((left, top, left + self.crop[1], top + self.crop[0]))
        values = np.asarray(image)
        channels = [row[values[..., channel]] for channel, row in enumerate(self._table)]
        return np.stack(channels)[None]

    def _scaled(self, image: Image.Image) -> tuple[int, int]:
        """Return the height and width at which the shorter side has its length."""
        short = self.shortest_edge or 0
        long = int(short * max(image.size) / min(image.size))
        return (long, short) if image.width <= image.height else (short, long)


def _own_classes(kind: type) -> list[type]:
    """Return a class and its bases, up to the one with the common steps."""
    own: list[type] = []
    for each in kind.__mro__:
        if each.__name__ == COMMON_BACKEND:
            break
        own.append(each)
    return own
