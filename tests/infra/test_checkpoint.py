"""Loading a checkpoint, and each way in which it fails."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
import torch
import transformers
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from domain.errors import Misconfigured
from infra.clip import checkpoint
from infra.clip.dual_encoder import DualEncoder
from tests.checkpoints import small_clip
from tests.hub_server import running_hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from domain.entities.embeddings import EmbeddingModel
    from tests.hub_server import Hub

NAME = "openai/clip-vit-base-patch32"


def load(name: object) -> EmbeddingModel:
    model, _ = checkpoint.load(str(name), device=torch.device("cpu"), dtype=torch.float32)
    return model


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        part, _, name = key.partition("__")
        if name:
            config[part][name] = value
        else:
            config[key] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_clip(tmp_path / "postcards")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that receives all requests of the test; the cache is empty."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with running_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield hub


def test_a_models_name_survives_a_move_of_its_folder_but_no_change_of_its_weights(
    folder: Path, tmp_path: Path
) -> None:
    before = load(folder)
    (tmp_path / "elsewhere").mkdir()
    after = load(folder.rename(tmp_path / "elsewhere" / "postcards"))
    other = load(small_clip(tmp_path / "other" / "postcards", seed=1))

    assert before == after
    assert before.name.startswith("postcards@")
    assert other.name.startswith("postcards@")
    assert before.name != other.name


def test_loading_prints_nothing_and_restores_the_log_levels(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    level = logging.getLogger("transformers").level
    capfd.readouterr()

    load(folder)

    assert capfd.readouterr() == ("", "")
    assert level == logging.getLogger("transformers").level
    assert transformers.logging.is_progress_bar_enabled()


def test_a_model_without_a_processor_configuration_loads_by_its_parts(
    folder: Path,
) -> None:
    processor = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(processor["image_processor"]))

    assert load(folder).dimensions == 64


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "~/nowhere", "nowhere", "a/b/c"])
def test_a_missing_folder_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match=f"There is no folder {name}; give a model's folder"):
        load(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"holds no config\.json"):
        load(tmp_path)


def test_a_model_that_is_no_dual_encoder_is_refused(tmp_path: Path) -> None:
    config = BertConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        vocab_size=9,
    )
    BertModel(config).save_pretrained(tmp_path)

    with pytest.raises(Misconfigured, match="is a bert, which does not put texts and pictures"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"model_type": "unheard-of"}'])
def test_an_invalid_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)

    with pytest.raises(Misconfigured, match=r"The configuration of the model .* cannot be read"):
        load(folder)


def test_a_missing_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()

    with pytest.raises(Misconfigured, match=r"The tokenizer .* \(its files are missing\)"):
        load(folder)


def test_a_broken_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")

    with pytest.raises(Misconfigured, match=r"The tokenizer of the model .* cannot be read"):
        load(folder)


def test_a_missing_image_processor_is_refused(folder: Path) -> None:
    (folder / "processor_config.json").unlink()

    with pytest.raises(Misconfigured, match=r"The image processor of the model .* cannot be read"):
        load(folder)


@pytest.mark.parametrize("keep", [0, 5, 100_000])
def test_damaged_weights_are_refused(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])

    with pytest.raises(Misconfigured, match=r"The weights of the model .* cannot be read"):
        load(folder)


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()

    with pytest.raises(Misconfigured, match=r"The weights of the model .* cannot be read"):
        load(folder)


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    change_config(folder, projection_dim=32)

    with pytest.raises(Misconfigured, match=r"The weights of the model .* cannot be read"):
        load(folder)


def test_incomplete_weights_are_refused(folder: Path) -> None:
    change_config(folder, text_config__num_hidden_layers=3)

    with pytest.raises(Misconfigured, match="are not complete"):
        load(folder)


def test_weights_with_nan_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.weight"] *= float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})

    with pytest.raises(Misconfigured, match="contain NaN or infinity; set PICTOGRAPH_DTYPE"):
        load(folder)


def test_a_model_whose_forward_pass_fails_is_refused(folder: Path) -> None:
    processor = json.loads((folder / "processor_config.json").read_text())
    processor["image_processor"]["crop_size"] = {"height": 8, "width": 8}
    (folder / "processor_config.json").write_text(json.dumps(processor))

    with pytest.raises(Misconfigured, match="does not run on cpu"):
        load(folder)


def test_a_model_of_the_hub_is_downloaded_once(folder: Path, hub: Hub) -> None:
    hub.models[NAME] = folder

    fetched = load(NAME)
    request_count = len(hub.requests)
    cached = load(NAME)

    assert NAME == fetched.name
    assert fetched == cached
    assert request_count == len(hub.requests)


@pytest.mark.parametrize("file", ["tokenizer.json", "processor_config.json", "model.safetensors"])
def test_an_incomplete_download_is_completed(
    folder: Path, hub: Hub, tmp_path: Path, file: str
) -> None:
    hub.models[NAME] = folder
    complete = load(NAME)
    [cached] = (tmp_path / "cache").glob(f"*/snapshots/*/{file}")
    cached.unlink()

    assert complete == load(NAME)
    assert cached.exists()


def test_a_model_unknown_to_the_hub_is_refused(hub: Hub) -> None:
    assert hub.models == {}

    with pytest.raises(
        Misconfigured, match=f"nor a model on the Hugging Face hub is called {NAME}"
    ):
        load(NAME)


def test_an_invalid_name_is_refused_without_a_request(hub: Hub) -> None:
    with pytest.raises(Misconfigured, match="check the spelling"):
        load("open ai/clip?")

    assert hub.requests == []


def test_a_gated_model_is_refused(hub: Hub) -> None:
    hub.gated.add(NAME)

    with pytest.raises(Misconfigured, match=r"is gated; accept its terms .* HF_TOKEN"):
        load(NAME)


def test_an_unreachable_hub_is_reported(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(
        Misconfigured, match=r"not in the cache, and .* hub cannot be reached \(.+\)"
    ):
        load(NAME)

    assert hub.requests == []


def test_a_damaged_model_in_the_cache_is_reported_without_a_request(folder: Path, hub: Hub) -> None:
    change_config(folder, projection_dim=32)
    hub.models[NAME] = folder
    with pytest.raises(Misconfigured, match="The weights"):
        load(NAME)
    request_count = len(hub.requests)

    with pytest.raises(Misconfigured, match="The weights"):
        load(NAME)

    assert request_count == len(hub.requests)


def test_a_model_with_embeddings_of_two_sizes_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DualEncoder, "encode_images", lambda _self, _inputs: [(1.0, 0.0)])

    with pytest.raises(Misconfigured, match=r"into one space \(64 dimensions and 2\)"):
        load(folder)
