"""The engine torch: runs a CLIP or SigLIP model of transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from infra.clip.engine import ModelInput, refusing_without_memory, without_surrogates

if TYPE_CHECKING:
    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels
    from infra.clip.engine import EngineName


GPU_IMAGE_BATCH_SIZE = 32
CPU_IMAGE_BATCH_SIZE = 4
"""Larger batches are hardly faster on a CPU, and a search waits for the batch that runs."""


@dataclass(frozen=True, slots=True)
class DualEncoder:
    """A model with its tokenizer and its image processor."""

    # Any: transformers chooses the classes when it reads the checkpoint.
    model: Any
    tokenizer: Any
    image_processor: Any

    @property
    def name(self) -> EngineName:
        return "torch"

    @property
    def description(self) -> str:
        return f"torch on {self.model.device} in {str(self.model.dtype).removeprefix('torch.')}"

    @property
    def image_batch_size(self) -> int:
        on_cpu = self.model.device.type == "cpu"
        return CPU_IMAGE_BATCH_SIZE if on_cpu else GPU_IMAGE_BATCH_SIZE

    def tokenize(self, texts: list[str]) -> Any:  # noqa: ANN401 - a class of transformers
        """Return the keyword arguments of the text tower."""
        tokens = self.tokenizer(
            [without_surrogates(text) for text in texts],
            padding="max_length" if self.attends_to_padding else True,
            truncation=True,
            max_length=self.context_length,
            return_tensors="pt",
        )
        if self.attends_to_padding:
            tokens.pop("attention_mask", None)
        return tokens

    def encode_texts(self, texts: list[str]) -> list[Embedding]:
        tokens = self.tokenize(texts)
        with torch.inference_mode(), refusing_without_memory(_is_shortage):
            output = self.model.get_text_features(**tokens.to(self.model.device))
            return _embeddings(output.pooler_output)

    def preprocess(self, pixels: Pixels) -> ModelInput:
        image = Image.frombuffer("RGB", (pixels.width, pixels.height), pixels.rgb)
        features = self.image_processor(images=image, return_tensors="pt")
        return ModelInput(
            {
                name: tensor.to(self.model.dtype) if tensor.is_floating_point() else tensor
                for name, tensor in features.items()
            }
        )

    def encode_images(self, inputs: list[ModelInput]) -> list[Embedding]:
        with torch.inference_mode(), refusing_without_memory(_is_shortage):
            batch = {
                name: torch.cat([each.tensors[name] for each in inputs]).to(self.model.device)
                for name in inputs[0].tensors
            }
            output = self.model.get_image_features(**batch)
            return _embeddings(output.pooler_output)

    @property
    def input_side(self) -> int:
        processor = self.image_processor
        if processor.size is None:  # SigLIP 2 NaFlex keeps the aspect ratio and limits the patches
            return int(processor.max_num_patches**0.5 * processor.patch_size)
        return int(processor.size.shortest_edge or max(processor.size.height, processor.size.width))

    @property
    def takes_centre_crop(self) -> bool:
        return bool(getattr(self.image_processor, "do_center_crop", False))

    @property
    def logit_scale(self) -> float:
        """The learned factor of cosines before a softmax: the inverse temperature."""
        return float(self.model.logit_scale.detach().float().exp())

    @property
    def attends_to_padding(self) -> bool:
        """Whether the model was trained on padded texts, as SigLIP was (Zhai et al., 2023).

        SigLIP takes texts padded to the context length, without an attention mask. Unpadded texts
        invert its rankings.
        """
        return str(self.model.config.model_type).startswith("siglip")

    @property
    def context_length(self) -> int:
        """The maximum number of tokens of a text."""
        positions = self.model.config.text_config.max_position_embeddings
        return int(min(self.tokenizer.model_max_length, positions))


def _embeddings(features: torch.Tensor) -> list[Embedding]:
    """Normalize to length 1, in float32 whatever the model's dtype."""
    vectors = torch.nn.functional.normalize(features.float(), dim=-1)
    return [tuple(vector) for vector in vectors.tolist()]


def _is_shortage(error: Exception) -> bool:
    # torch has an exception for the memory of a device, and none for that of the processor.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
