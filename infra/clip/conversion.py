"""Converts a model from torch for OpenVINO: traces its towers, and keeps what surrounds them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from infra.clip import probes
from infra.clip.checkpoint import quiet_libraries
from infra.clip.converted_model import IMAGE_TOWER, TEXT_TOWER, Facts, Probes
from infra.clip.openvino_library import import_openvino
from infra.clip.preprocessing import Preprocessing
from infra.clip.tokenization import save_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from infra.clip.converted_model import Weights
    from infra.clip.dual_encoder import DualEncoder


@dataclass(frozen=True, slots=True)
class Conversion:
    """A model of torch with its towers in OpenVINO's form."""

    dual: DualEncoder
    preprocessing: Preprocessing
    text_tower: Any
    image_tower: Any

    def write(self, folder: Path, weights: Weights) -> None:
        """Write all files of the converted model. Raises NotRunnableError."""
        openvino = import_openvino()
        is_halved = weights == "float16"
        openvino.save_model(self.text_tower, folder / TEXT_TOWER, compress_to_fp16=is_halved)
        openvino.save_model(self.image_tower, folder / IMAGE_TOWER, compress_to_fp16=is_halved)
        tokens = save_tokenizer(
            self.dual.tokenizer,
            folder,
            context_length=self.dual.context_length,
            attends_to_padding=self.dual.attends_to_padding,
        )
        embeddings = Probes(*probes.embed(self.dual))
        Facts(
            len(embeddings.texts[0]),
            self.dual.logit_scale,
            tokens,
            self.preprocessing,
            embeddings,
        ).write(folder)


def convert(dual: DualEncoder) -> Conversion:
    """Convert a model that torch runs on the CPU in float32.

    Raises NotRunnableError, and whatever the code of the model raises.
    """
    preprocessing = Preprocessing.of(dual.image_processor)
    tokens = dict(dual.tokenize(probes.TEXTS))
    picture = dual.preprocess(probes.pictures()[0]).tensors
    text_tower = _trace(_TextTower(dual.model), tokens)
    image_tower = _trace(
        _ImageTower(dual.model), {name: torch.cat([each] * 2) for name, each in picture.items()}
    )
    # Fixed sizes are faster: those of pictures, and of texts that are padded to one length.
    text_length = dual.context_length if dual.attends_to_padding else -1
    text_tower.reshape({name: [-1, text_length] for name in tokens})
    image_tower.reshape({name: [-1, *each.shape[1:]] for name, each in picture.items()})
    return Conversion(dual, preprocessing, text_tower, image_tower)


class _TextTower(torch.nn.Module):
    def __init__(self, model: Any) -> None:  # noqa: ANN401 - transformers chooses the class
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        features = self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)
        return features.pooler_output  # type: ignore[no-any-return]


class _ImageTower(torch.nn.Module):
    def __init__(self, model: Any) -> None:  # noqa: ANN401 - transformers chooses the class
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        features = self.model.get_image_features(pixel_values=pixel_values)
        return features.pooler_output  # type: ignore[no-any-return]


def _trace(tower: torch.nn.Module, example: dict[str, torch.Tensor]) -> Any:  # noqa: ANN401 - a model of OpenVINO
    """Convert a tower. ``openvino.convert_model`` would do the same, and report it."""
    frontends = import_openvino().frontend
    decoders = import_module("openvino.frontend.pytorch.ts_decoder")
    # Of tracing: conditions on shapes become constants, and shapes of a tower do not differ.
    with quiet_libraries(), warnings.catch_warnings(action="ignore"), torch.no_grad():
        decoder = decoders.TorchScriptPythonDecoder(tower.eval(), example_input=example)
        frontend = frontends.FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))
