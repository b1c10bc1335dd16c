"""A CLIP or SigLIP model as blocking functions: batches in, embeddings of length 1 out."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """A preprocessed picture: the keyword arguments of the image tower, as a batch of one."""

    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class DualEncoder:
    """A model with its tokenizer and its image processor. Every method blocks.

    The two that embed raise Overloaded where memory is short.
    """

    # Any: transformers chooses the classes when it reads the checkpoint.
    model: Any
    tokenizer: Any
    image_processor: Any

    def encode_texts(self, texts: list[str]) -> list[Embedding]:
        """Embed texts in one forward pass. Texts are truncated to the model's context length."""
        tokens = self.tokenizer(
            # Tokenizers reject lone surrogates, which JSON can contain.
            [text.encode("utf-8", "replace").decode() for text in texts],
            padding="max_length" if self._attends_to_padding else True,
            truncation=True,
            max_length=self._context_length,
            return_tensors="pt",
        )
        if self._attends_to_padding:
            tokens.pop("attention_mask", None)
        with torch.inference_mode(), _refusing_without_memory():
            output = self.model.get_text_features(**tokens.to(self.model.device))
            return _embeddings(output.pooler_output)

    def preprocess(self, pixels: Pixels) -> ModelInput:
        """Resize, crop and normalise a picture as in the model's training."""
        image = Image.frombuffer("RGB", (pixels.width, pixels.height), pixels.rgb)
        features = self.image_processor(images=image, return_tensors="pt")
        return ModelInput(
            {
                name: tensor.to(self.model.dtype) if tensor.is_floating_point() else tensor
                for name, tensor in features.items()
            }
        )

    def encode_images(self, inputs: list[ModelInput]) -> list[Embedding]:
        """Embed pictures in one forward pass."""
        with torch.inference_mode(), _refusing_without_memory():
            batch = {
                name: torch.cat([each.tensors[name] for each in inputs]).to(self.model.device)
                for name in inputs[0].tensors
            }
            output = self.model.get_image_features(**batch)
            return _embeddings(output.pooler_output)

    @property
    def input_side(self) -> int:
        """The shorter side, in pixels, to which the image processor resizes a picture."""
        processor = self.image_processor
        if processor.size is None:  # SigLIP 2 NaFlex keeps the aspect ratio and limits the patches
            return int(processor.max_num_patches**0.5 * processor.patch_size)
        return int(processor.size.shortest_edge or max(processor.size.height, processor.size.width))

    @property
    def takes_centre_crop(self) -> bool:
        """Whether the image processor crops a picture to its middle square."""
        return bool(getattr(self.image_processor, "do_center_crop", False))

    @property
    def logit_scale(self) -> float:
        """The learned factor of cosines before a softmax: the inverse temperature."""
        return float(self.model.logit_scale.detach().float().exp())

    @property
    def _attends_to_padding(self) -> bool:
        """Whether the model was trained on padded texts, as SigLIP was (Zhai et al., 2023).

        SigLIP takes texts padded to the context length, without an attention mask. Unpadded texts
        invert its rankings.
        """
        return str(self.model.config.model_type).startswith("siglip")

    @property
    def _context_length(self) -> int:
        positions = self.model.config.text_config.max_position_embeddings
        return int(min(self.tokenizer.model_max_length, positions))


def _embeddings(features: torch.Tensor) -> list[Embedding]:
    """Normalize to length 1, in float32 whatever the model's dtype."""
    vectors = torch.nn.functional.normalize(features.float(), dim=-1)
    return [tuple(vector) for vector in vectors.tolist()]


@contextmanager
def _refusing_without_memory() -> Iterator[None]:
    """Raise Overloaded where memory cannot be allocated, of the processor or of the device."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch has an exception for the memory of a device, and none for that of the processor.
        is_shortage = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not (is_shortage or "can't allocate memory" in str(error)):
            raise
        raise Overloaded(
            "The server has too little free memory for the model; try again in a moment."
        ) from error
