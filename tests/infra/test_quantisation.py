"""Quantised models: what they compute, what they cost, and where they are found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.images import Pixels
from domain.errors import Misconfigured
from infra.clip.converted_model import ModelCache
from infra.clip.engines import EngineOptions, load
from infra.clip.quantisation import Quantised, quantise
from infra.clip.quantised_model import is_quantised
from tests.checkpoints import small_clip

if TYPE_CHECKING:
    from pathlib import Path

    from infra.clip.engine import EngineName

QUANTISE = """
import sys
connections = []
sys.addaudithook(lambda event, _: event == "socket.connect" and connections.append(event))
from pathlib import Path
from infra.clip.converted_model import ModelCache
from infra.clip.engines import EngineOptions, load
from infra.clip.quantisation import quantise
from tests.infra.test_quantisation import pictures
cache = ModelCache((Path(sys.argv[2]),))
# The tests of nncf replace its telemetry where they find pytest.
sys.modules.pop("pytest", None)
load(sys.argv[1], EngineOptions(device="cpu", cache=cache))
quantised = quantise(sys.argv[1], pictures(), ["snow"], cache)
print("nncf" in sys.modules, "openvino_telemetry.main" in sys.modules, connections)
print(quantised.name)
"""
LOAD = """
import sys
from pathlib import Path
from infra.clip.converted_model import ModelCache
from infra.clip.engines import EngineOptions, load
load(sys.argv[1], EngineOptions(cache=ModelCache((Path(sys.argv[2]),))))
print([name for name in ("nncf", "torch", "transformers") if name in sys.modules])
"""


def pictures(count: int = 64) -> list[Pixels]:
    """Return smooth pictures of random colours."""
    random = Random(5)
    rows, columns = np.mgrid[0:48, 0:64] / 64
    made = []
    for _ in range(count):
        channels = [
            128
            + 60 * random.choice((-1, 1)) * rows
            + random.uniform(-60, 60) * np.cos(random.uniform(2, 20) * columns)
            for _ in range(3)
        ]
        rgb = np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)
        made.append(Pixels(64, 48, rgb.tobytes()))
    return made


@dataclass(frozen=True, slots=True)
class QuantisedClip:
    checkpoint: str
    folder: Path
    quantised: Quantised

    @property
    def name(self) -> str:
        return self.quantised.name

    def options(self, engine: EngineName = "auto", device: str = "auto") -> EngineOptions:
        return EngineOptions(engine, device=device, cache=ModelCache((self.folder,)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> QuantisedClip:
    folder = tmp_path_factory.mktemp("quantised")
    checkpoint = str(small_clip(folder / "model"))
    cache = ModelCache((folder / "cache",))
    load(checkpoint, EngineOptions(device="cpu", cache=cache))
    texts = ["a red boat", "snow", "two owls"]
    return QuantisedClip(
        checkpoint, folder / "cache", quantise(checkpoint, pictures(), texts, cache)
    )


def test_a_quantised_model_has_a_name_of_its_own_and_nearly_the_same_embeddings(
    clip: QuantisedClip,
) -> None:
    original, engine = load(clip.checkpoint, clip.options(device="cpu"))
    model, quantised = load(clip.name, clip.options())
    assert model.name == clip.name
    assert model.name.startswith(f"{original.name}+int8@")
    assert is_quantised(model.name)
    assert not is_quantised(original.name)
    assert (original.dimensions, original.logit_scale, original.calibration) == (
        model.dimensions,
        model.logit_scale,
        model.calibration,
    )
    texts = ["a red boat", "snow"]
    assert np.allclose(engine.encode_texts(texts), quantised.encode_texts(texts), atol=1e-2)
    inputs = [engine.preprocess(picture) for picture in pictures(4)]
    before, after = (np.array(each.encode_images(inputs)) for each in (engine, quantised))
    assert (before * after).sum(axis=1).min() > 0.98
    assert not np.array_equal(before, after)


def test_the_cost_is_measured_on_pictures_that_do_not_calibrate(clip: QuantisedClip) -> None:
    cost = clip.quantised.cost
    assert (32, 32) == (cost.calibrated, cost.held_out)
    assert 0.98 < cost.mean_cosine <= 1.0001
    assert 0.5 < cost.picture_recall <= 1
    assert 0.5 < cost.text_recall <= 1


def test_a_quantised_model_runs_without_the_libraries_that_made_it(clip: QuantisedClip) -> None:
    # Nor does it need its checkpoint.
    command = [sys.executable, "-W", "ignore", "-c", LOAD, clip.name, str(clip.folder)]
    assert "[]\n" == subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_quantising_sends_nothing(tmp_path: Path) -> None:
    checkpoint = str(small_clip(tmp_path / "model"))
    command = [sys.executable, "-W", "ignore", "-c", QUANTISE, checkpoint, str(tmp_path / "cache")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stderr
    first, name = ran.stdout.splitlines()[-2:]
    assert "True False []" == first
    assert "+int8@" in name


def test_a_machine_without_the_model_does_not_make_another_one(
    clip: QuantisedClip, tmp_path: Path
) -> None:
    options = EngineOptions(cache=ModelCache((tmp_path,)))
    with pytest.raises(Misconfigured, match=r"copy the folder int8-\w+ from the PICTOGRAPH_MODEL"):
        load(clip.name, options)
    [folder] = clip.folder.glob("int8-*")
    shutil.copytree(folder, tmp_path / folder.name)
    assert clip.name == load(clip.name, options)[0].name


def test_files_that_have_changed_are_not_used(clip: QuantisedClip, tmp_path: Path) -> None:
    [folder] = clip.folder.glob("int8-*")
    shutil.copytree(folder, tmp_path / folder.name)
    weights = tmp_path / folder.name / "image.bin"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(Misconfigured, match="have changed"):
        load(clip.name, EngineOptions(cache=ModelCache((tmp_path,))))


@pytest.mark.parametrize(("engine", "device"), [("torch", "auto"), ("auto", "cuda")])
def test_only_openvino_runs_a_quantised_model(
    clip: QuantisedClip, engine: EngineName, device: str
) -> None:
    with pytest.raises(Misconfigured, match="set PICTOGRAPH_ENGINE and PICTOGRAPH_DEVICE to auto"):
        load(clip.name, clip.options(engine, device))


def test_without_openvino_a_quantised_model_is_refused(
    clip: QuantisedClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(Misconfigured, match="Only OpenVINO runs the quantised model"):
        load(clip.name, clip.options())
    with pytest.raises(Misconfigured, match="OpenVINO cannot be imported"):
        quantise(clip.checkpoint, [], [], ModelCache(()))


def test_without_nncf_quantising_names_what_to_install(
    clip: QuantisedClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(Misconfigured, match=r"pip install --editable '\.\[int8\]'"):
        quantise(clip.checkpoint, [], [], ModelCache((clip.folder,)))


def test_a_model_without_a_conversion_is_not_quantised(clip: QuantisedClip, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no conversion for OpenVINO"):
        quantise(clip.checkpoint, [], [], ModelCache((tmp_path,)))
