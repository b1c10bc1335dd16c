"""The calibration of relevance in a model's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from domain.entities.relevance import CLIP, Calibration, Curve
from domain.errors import Misconfigured
from infra.clip.checkpoint import load
from infra.clip.model_files import CALIBRATION_FILE
from postcards import MODEL
from tests.checkpoints import small_clip

if TYPE_CHECKING:
    from pathlib import Path


def calibration_of(folder: Path) -> Calibration:
    model, _ = load(str(folder), device=torch.device("cpu"), dtype=torch.float32)
    return model.calibration


def test_a_model_without_a_calibration_gets_that_of_clip(tmp_path: Path) -> None:
    folder = small_clip(tmp_path)
    assert CLIP == calibration_of(folder)
    curves = {
        "text": {"midpoint": -2, "spread": 0.5},
        "image": {"midpoint": 7.5, "spread": 3},
    }
    (folder / CALIBRATION_FILE).write_text(json.dumps(curves))
    assert Calibration(Curve(-2, 0.5), Curve(7.5, 3)) == calibration_of(folder)
    (folder / CALIBRATION_FILE).write_text(json.dumps(curves | {"background": 0.25}))
    assert Calibration(Curve(-2, 0.5), Curve(7.5, 3), background=0.25) == calibration_of(folder)


def test_the_bundled_model_has_a_calibration_of_its_own() -> None:
    assert CLIP != calibration_of(MODEL)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"text": {"midpoint": 1, "spread": 1}}',
        '{"text": {"midpoint": "7", "spread": 1}, "image": {"midpoint": 1, "spread": 1}}',
        '{"text": {"midpoint": null, "spread": 1}, "image": {"midpoint": 1, "spread": 1}}',
        '{"text": {"midpoint": 1, "spread": 0}, "image": {"midpoint": 1, "spread": 1}}',
        '{"text": {"midpoint": 1, "spread": -1}, "image": {"midpoint": 1, "spread": 1}}',
        *(
            '{"text": {"midpoint": 1, "spread": 1}, "image": {"midpoint": 1, "spread": 1}, '
            f'"background": {background}}}'
            for background in ("1.5", "-0.1", "null", '"all"', "NaN")
        ),
    ],
)
def test_an_invalid_calibration_is_refused_with_the_name_of_its_file(
    tmp_path: Path, content: str
) -> None:
    folder = small_clip(tmp_path)
    (folder / CALIBRATION_FILE).write_text(content)
    with pytest.raises(Misconfigured, match=rf"{CALIBRATION_FILE} is no calibration .*remove it"):
        calibration_of(folder)
