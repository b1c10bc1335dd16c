"""A model of the CLIP or SigLIP family as plain functions: batches in, vectors of length 1 out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels

SLENDER = 8
"""Pictures are cut to this ratio of sides where only their middle square is looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """A picture as the model takes it."""

    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class DualEncoder:
    """A model with its tokenizer and its image processor. Everything here blocks."""

    # Any: transformers decides what they are when it reads the checkpoint.
    model: Any
    tokenizer: Any
    image_processor: Any

    def encode_texts(self, texts: list[str]) -> list[Embedding]:
        """Embed texts in one forward pass. What a long text has beyond the model's reach is cut."""
        tokens = self.tokenizer(
            # Half of a surrogate pair is no text to a tokenizer, and JSON can bring one.
            [text.encode("utf-8", "replace").decode() for text in texts],
            padding="max_length" if self._reads_padding else True,
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        )
        if self._reads_padding:
            tokens.pop("attention_mask", None)
        with torch.inference_mode():
            output = self.model.get_text_features(**tokens.to(self.model.device))
        return _embeddings(output.pooler_output)

    def prepare(self, pixels: Pixels) -> ModelInput:
        """Resize, crop and normalise a picture as the model was trained to see it."""
        image = Image.frombuffer("RGB", (pixels.width, pixels.height), pixels.rgb)
        features = self.image_processor(images=self._shorten(image), return_tensors="pt")
        return ModelInput(
            {
                name: tensor.to(self.model.dtype) if tensor.is_floating_point() else tensor
                for name, tensor in features.items()
            }
        )

    def encode_images(self, inputs: list[ModelInput]) -> list[Embedding]:
        """Embed pictures in one forward pass."""
        batch = {
            name: torch.cat([each.tensors[name] for each in inputs]).to(self.model.device)
            for name in inputs[0].tensors
        }
        with torch.inference_mode():
            output = self.model.get_image_features(**batch)
        return _embeddings(output.pooler_output)

    @property
    def input_side(self) -> int:
        """The shorter side, in pixels, to which the model shrinks a picture before it looks."""
        processor = self.image_processor
        if processor.size is None:  # SigLIP 2 that keeps the ratio of sides counts patches
            return int(processor.max_num_patches**0.5 * processor.patch_size)
        return int(processor.size.shortest_edge or max(processor.size.height, processor.size.width))

    @property
    def logit_scale(self) -> float:
        """What training found that cosines have to be multiplied by before a softmax."""
        return float(self.model.logit_scale.detach().float().exp())

    @property
    def _reads_padding(self) -> bool:
        """Whether padding is part of the text, as SigLIP learnt it (Zhai et al., 2023).

        Its texts fill the whole context and have no attention mask; without this, rankings invert.
        """
        return str(self.model.config.model_type).startswith("siglip")

    @property
    def _context(self) -> int:
        positions = self.model.config.text_config.max_position_embeddings
        return int(min(self.tokenizer.model_max_length, positions))

    def _shorten(self, image: Image.Image) -> Image.Image:
        """Cut the far ends off a ribbon: enlarged to the model's side they would fill memory."""
        if not getattr(self.image_processor, "do_center_crop", False):
            return image
        width, height = image.size
        longest = SLENDER * min(width, height)
        x, y = max(0, width - longest) // 2, max(0, height - longest) // 2
        return image.crop((x, y, width - x, height - y)) if x or y else image


def _embeddings(features: torch.Tensor) -> list[Embedding]:
    """Scale to length 1, in float32 whatever the model computes in."""
    vectors = torch.nn.functional.normalize(features.float(), dim=-1)
    return [tuple(vector) for vector in vectors.tolist()]
