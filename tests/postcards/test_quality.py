"""The quality of the bundled model, on a sample of the evaluation of its card."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from postcards import MODEL, evaluate
from postcards.architecture import make_model, save
from postcards.evaluate import METRICS_TABLE, Evaluation, Metric, markdown
from tests.checkpoints import caption_tokenizer
from tests.e2e.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TRIAL_SAMPLING = 16
TOLERANCE = 0.02
"""The largest difference of a metric between processors."""

TRIALS_TOLERANCE = 0.15
"""The largest difference of a metric on a sixteenth of the queries."""


@pytest.fixture(scope="module")
def metrics() -> list[Metric]:
    evaluation = Evaluation(MODEL, console=Console(quiet=True))
    return evaluation.metrics(every=TRIAL_SAMPLING)


def documented(document: Path) -> list[tuple[str, float, float]]:
    found = METRICS_TABLE.search(document.read_text())
    assert found, document
    rows = re.findall(r"^\| (.+) \| ([.\d]+) \| ([.\d]+) \|$", found[0], re.MULTILINE)
    return [(name, float(target), float(measured)) for name, target, measured in rows]


def test_the_metrics_equal_those_of_the_card(metrics: list[Metric]) -> None:
    card = documented(MODEL / "README.md")
    assert 8 == len(card) == len(metrics)
    for metric, (name, target, measured) in zip(metrics, card, strict=True):
        assert (metric.name, metric.target) == (name, target)
        sampled = "colour" in name or "number" in name
        tolerance = TRIALS_TOLERANCE if sampled else TOLERANCE
        assert metric.measured == pytest.approx(measured, abs=tolerance)


def test_the_page_of_figures_has_the_metrics_of_the_card() -> None:
    assert documented(MODEL / "README.md") == documented(ROOT / "docs" / "figures.md")


def test_the_model_has_the_tokenizer_and_the_architecture_of_the_code(
    tmp_path: Path,
) -> None:
    tokenizer = caption_tokenizer()
    save(make_model(tokenizer), tokenizer, tmp_path)
    for name in ("tokenizer.json", "config.json", "processor_config.json"):
        assert (tmp_path / name).read_bytes() == (MODEL / name).read_bytes()
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 12_000_000


def test_an_untrained_model_reaches_no_target(metrics: list[Metric], tmp_path: Path) -> None:
    tokenizer = caption_tokenizer()
    save(make_model(tokenizer), tokenizer, tmp_path)
    untrained = Evaluation(tmp_path, console=Console(quiet=True)).metrics(pictures=100, every=60)
    assert not any(metric.is_reached for metric in untrained)
    assert len(untrained) == len(metrics)


def test_the_command_prints_metrics_and_writes_them_into_the_table_of_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = [Metric("one thing", 0.8, 0.7951), Metric("another", 0.8, 0.7949)]
    monkeypatch.setattr(Evaluation, "metrics", lambda _: measured)
    document = tmp_path / "card.md"
    document.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    monkeypatch.setattr(sys, "argv", ["evaluate", "--into", str(document)])

    evaluate.main()

    assert "0.795" in capsys.readouterr().out
    assert (
        f"before\n<!-- figures -->\n{markdown(measured)}<!-- end of figures -->\nafter\n"
        == document.read_text()
    )
    assert [True, False] == [metric.is_reached for metric in measured]
