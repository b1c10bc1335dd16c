"""The small checkpoint that stands in for a trained one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from transformers import AutoProcessor

from infra.clip import ClipEncoder
from postcards.checkpoint import WORDS, learn_merges, main, make_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_the_command_writes_a_model_that_loads_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "model"
    monkeypatch.setattr(sys, "argv", ["checkpoint", str(folder)])

    main()

    assert capfd.readouterr() == ("", "")
    assert sum(len(data) for data in contents(folder).values()) < 3_000_000
    async with ClipEncoder.open(str(folder)) as encoder:
        assert encoder.model.dimensions == 64


def test_one_seed_is_one_model_to_the_byte(tmp_path: Path) -> None:
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        make_checkpoint(tmp_path / name, seed=seed)
    first, second, third = (contents(tmp_path / name) for name in ("first", "second", "third"))

    assert first == second
    assert first["tokenizer.json"] == third["tokenizer.json"]
    assert first["model.safetensors"] != third["model.safetensors"]


def test_a_known_word_is_one_token_and_any_other_falls_into_bytes(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    tokenizer = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        tmp_path
    ).tokenizer

    assert ["lighthouse</w>", "snow</w>"] == tokenizer.tokenize("Lighthouse snow")
    assert (
        tokenizer.unk_token_id not in tokenizer("日本 über 🦉", add_special_tokens=False).input_ids
    )
    assert len(tokenizer(WORDS, truncation=True).input_ids) == 77


def test_merges_are_the_same_whatever_the_order_of_the_words() -> None:
    words = WORDS.split()

    assert learn_merges(words) == learn_merges(words[::-1])
