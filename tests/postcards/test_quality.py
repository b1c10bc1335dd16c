"""How good the bundled model is: a smaller measurement than that of its card, each time."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from postcards import MODEL, evaluate
from postcards.architecture import make_model, save
from postcards.evaluate import FIGURES, Evaluation, Figure, markdown
from tests.checkpoints import caption_tokenizer
from tests.e2e.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EVERY = 16
SLACK = 0.02
"""What another processor may make of a figure."""

SLACK_OF_TRIALS = 0.15
"""What a sixteenth of the queries may make of it, by chance."""


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    evaluation = Evaluation(MODEL, console=Console(quiet=True))
    return evaluation.figures(every=EVERY)


def documented(document: Path) -> list[tuple[str, float, float]]:
    found = FIGURES.search(document.read_text())
    assert found, document
    rows = re.findall(r"^\| (.+) \| ([.\d]+) \| ([.\d]+) \|$", found[0], re.MULTILINE)
    return [(what, float(reach), float(measured)) for what, reach, measured in rows]


def test_the_model_is_as_good_as_its_card_says(figures: list[Figure]) -> None:
    card = documented(MODEL / "README.md")
    assert 8 == len(card) == len(figures)
    for figure, (what, reach, measured) in zip(figures, card, strict=True):
        assert (figure.what, figure.reach) == (what, reach)
        few = "colour" in what or "number" in what
        assert figure.measured == pytest.approx(measured, abs=SLACK_OF_TRIALS if few else SLACK)


def test_the_page_of_figures_says_what_the_card_says() -> None:
    assert documented(MODEL / "README.md") == documented(ROOT / "docs" / "figures.md")


def test_the_model_has_the_tokenizer_and_the_shape_that_the_code_would_give_it(
    tmp_path: Path,
) -> None:
    tokenizer = caption_tokenizer()
    save(make_model(tokenizer), tokenizer, tmp_path)
    for name in ("tokenizer.json", "config.json", "processor_config.json"):
        assert (tmp_path / name).read_bytes() == (MODEL / name).read_bytes()
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 12_000_000


def test_a_model_that_learnt_nothing_is_found_out(figures: list[Figure], tmp_path: Path) -> None:
    tokenizer = caption_tokenizer()
    save(make_model(tokenizer), tokenizer, tmp_path)
    guesses = Evaluation(tmp_path, console=Console(quiet=True)).figures(pictures=100, every=60)
    assert not any(figure.is_reached for figure in guesses)
    assert len(guesses) == len(figures)


def test_the_command_prints_figures_and_writes_them_where_there_is_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = [Figure("one thing", 0.8, 0.7951), Figure("another", 0.8, 0.7949)]
    monkeypatch.setattr(Evaluation, "figures", lambda _: measured)
    document = tmp_path / "card.md"
    document.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    monkeypatch.setattr(sys, "argv", ["evaluate", "--into", str(document)])

    evaluate.main()

    assert "0.795" in capsys.readouterr().out
    assert (
        f"before\n<!-- figures -->\n{markdown(measured)}<!-- end of figures -->\nafter\n"
        == document.read_text()
    )
    assert [True, False] == [figure.is_reached for figure in measured]
