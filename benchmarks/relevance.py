"""Computes and evaluates the calibration of relevance.

``python -m benchmarks.relevance`` uses recorded embeddings of CLIP ViT-B/32, if they are available,
and the bundled model. With ``--write`` it writes the calibration of the bundled model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from benchmarks.labelled_scores import LabelledScores, recorded, score_picture_queries
from benchmarks.real_clip import FOLDER
from domain.entities import relevance
from domain.entities.relevance import STRONG, Calibration, Curve
from infra.clip.concepts import read_concepts
from infra.clip.embedding_space import TextMarginScorer
from infra.clip.encoder import ClipEncoder
from infra.clip.model_files import CALIBRATION_FILE
from postcards import MODEL, queries
from postcards.evaluate import Evaluation
from postcards.facts import neighbours
from postcards.grammar import PLAIN_GRAMMAR

if TYPE_CHECKING:
    from benchmarks.labelled_scores import Array

MAX_FALSE_STRONG_SHARE = 0.05
"""The allowed share of absent concepts with a STRONG hit, and of STRONG pairs of pictures that are
not neighbours."""

BACKGROUND_WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 1.0)
"""The candidates for the weight of the background concepts."""

MAX_UNKNOWN_COSINE = 0.35
"""A concept is unknown to the bundled model if its cosine to all known concepts is below this."""

UNRELATED_SECTIONS = frozenset(
    {
        "dishes and food",
        "drinks",
        "electronics",
        "furniture",
        "kitchen things",
        "medicine",
        "musical instruments",
        "office and school",
        "tools",
    }
)
"""Sections of the concepts that no postcard shows."""


def text_curve(labelled: LabelledScores, absent: Array) -> Curve:
    """Return the curve for texts: LIKELY at the best F1, STRONG above nearly all absent concepts.

    ``absent`` has the largest margin of each query for an absent concept.
    """
    _, midpoint = labelled.best()
    return _curve(midpoint, strong_threshold(absent))


def strong_threshold(absent: Array) -> float:
    """Return the smallest STRONG margin, from half of the allowed share of false hits.

    The other half is a reserve for concepts that are not in ``absent``.
    """
    return float(np.quantile(absent, 1 - MAX_FALSE_STRONG_SHARE / 2, method="higher"))


def false_strong_share(absent: Array, *, splits: int = 200) -> float:
    """Return the share of absent concepts with a STRONG hit, on random held-out halves."""
    random, shares, half = Random(0), [], len(absent) // 2
    for _ in range(splits):
        shuffled = np.array(random.sample(absent.tolist(), len(absent)))
        shares.append((shuffled[:half] > strong_threshold(shuffled[half:])).mean())
    return float(np.mean(shares))


def picture_curve(labelled: LabelledScores) -> Curve:
    """Return the curve for pictures: LIKELY at the best F1, STRONG for nearly no false hit."""
    _, midpoint = labelled.best()
    order = np.argsort(-labelled.values, axis=None)
    precision = np.cumsum(labelled.relevant.ravel()[order]) / np.arange(1, len(order) + 1)
    last = int(np.flatnonzero(precision >= 1 - MAX_FALSE_STRONG_SHARE).max(initial=0))
    return _curve(midpoint, float(labelled.values.ravel()[order[last]]))


def _curve(midpoint: float, strong: float) -> Curve:
    """Round the parameters without lowering the threshold of STRONG."""
    middle = round(midpoint, 1)
    spread = (strong - middle) / math.log(STRONG / (1 - STRONG))
    return Curve(middle, math.ceil(10 * max(spread, 0.1)) / 10)


def report(name: str, labelled: LabelledScores, curve: Curve, absent: Array | None = None) -> None:
    """Print the metrics of a curve."""
    strong = curve.midpoint + curve.spread * math.log(STRONG / (1 - STRONG))
    best, _ = labelled.best()
    print(f"{name}: midpoint {curve.midpoint:.1f}, spread {curve.spread:.1f}")
    print(f"  F1 at LIKELY {labelled.f1(curve.midpoint):.3f} (best {best:.3f})")
    print(f"  F1 on held-out thirds of the queries {labelled.held_out(splits=60):.3f}")
    is_strong = labelled.values >= strong
    print(f"  STRONG: precision {labelled.relevant[is_strong].mean():.3f}", end="")
    print(f", recall {is_strong[labelled.relevant].mean():.3f}", end="")
    if absent is None:
        print()
        return
    print(f"; {(absent >= strong).mean():.3f} of absent concepts have a STRONG hit", end="")
    print(f", {false_strong_share(absent):.3f} of held-out ones")


def evaluate_clip() -> None:
    """Evaluate relevance for CLIP, compared with thresholds on the cosine and on its z-score."""
    clip = recorded()
    scores = clip.queries @ clip.pictures.T
    z = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    for name, values in (("cosine", scores), ("z-score", z)):
        labelled = LabelledScores(values, clip.relevant)
        print(f"F1 of one threshold on the {name}: best {labelled.best()[0]:.3f}", end="")
        print(f", held out {labelled.held_out(splits=60):.3f}")
    labelled = LabelledScores(clip.margins(clip.queries), clip.relevant)
    absent = clip.margins(clip.absent).max(axis=1)
    print(f"calibration gives {text_curve(labelled, absent)}, {picture_curve(clip.by_picture())}")
    report("CLIP ViT-B/32, texts", labelled, relevance.CLIP.text, absent)
    report("CLIP ViT-B/32, pictures", clip.by_picture(), relevance.CLIP.image)


async def calibrate_bundled_model() -> Calibration:
    """Calibrate the bundled model on held-out postcards."""
    evaluation = Evaluation(MODEL, console=Console(stderr=True))
    pool = evaluation.pool(queries.held_out_scenes(1_000), "1,000 postcards")
    async with ClipEncoder.open(str(MODEL)) as encoder:
        scale = encoder.model.logit_scale
    bank = evaluation.embed(read_concepts())
    words, random = queries.vocabulary(), Random(0)
    descriptions = [*words, *queries.compounds()]
    texts = evaluation.embed([PLAIN_GRAMMAR.caption(each, random) for each in descriptions])

    def margins(points: Array, background: float) -> Array:
        scorer = TextMarginScorer(pool.embeddings, bank, logit_scale=scale, background=background)
        return np.stack([scorer(each) for each in points])

    relevant = np.array([pool.relevant(each) for each in descriptions])
    by_share = {
        share: LabelledScores(margins(texts, share), relevant) for share in BACKGROUND_WEIGHTS
    }
    for share, each in by_share.items():
        print(f"background {share}: F1 {each.best()[0]:.3f}")
    background = max(by_share, key=lambda share: by_share[share].best()[0])
    labelled = by_share[background]
    absent = margins(_unknown_concepts(bank, texts[: len(words)]), background).max(axis=1)
    by_picture = score_picture_queries(
        pool.embeddings,
        neighbours(pool.scenes),
        sample=pool.embeddings[::2],
        scale=scale,
        every=4,
    )
    found = Calibration(text_curve(labelled, absent), picture_curve(by_picture), background)
    report("the bundled model, texts", labelled, found.text, absent)
    for name, part in (("one thing", slice(len(words))), ("two things", slice(len(words), None))):
        part_scores = LabelledScores(labelled.values[part], relevant[part])
        print(f"  F1 at LIKELY for queries with {name}: {part_scores.f1(found.text.midpoint):.3f}")
    unrelated = margins(evaluation.embed(_unrelated_concepts()), background).max(axis=1)
    strong = [found.text(float(each)) >= STRONG for each in unrelated]
    print(f"  {np.mean(strong):.3f} of unrelated concepts have a STRONG hit")
    report("the bundled model, pictures", by_picture, found.image)
    return found


def _unknown_concepts(bank: Array, known: Array) -> Array:
    """Return every sixth concept that is unlike all that the model knows."""
    centre = bank.mean(axis=0)
    one, other = (points - centre for points in (bank, known))
    lengths = np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    unknown: Array = bank[((one @ other.T) / lengths).max(axis=1) < MAX_UNKNOWN_COSINE]
    return unknown[::6]


def _unrelated_concepts() -> list[str]:
    """Return every third concept of the sections that no postcard shows."""
    lines = files("infra.clip").joinpath("concepts.txt").read_text("utf-8").splitlines()
    unrelated, section = [], ""
    for line in lines:
        if line.startswith("#"):
            section = line.removeprefix("# ")
        elif section in UNRELATED_SECTIONS:
            unrelated.append(f"a {line}")
    return unrelated[::3]


def main() -> None:
    """Evaluate CLIP, then calibrate the bundled model."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relevance", description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if FOLDER.exists():
        evaluate_clip()
    else:
        print(f"There are no recorded embeddings in {FOLDER}: CLIP is skipped.")
    calibration = asyncio.run(calibrate_bundled_model())
    if arguments.write:
        file = Path(MODEL, CALIBRATION_FILE)
        file.write_text(json.dumps(asdict(calibration)) + "\n")
        print(f"Written to {file}.")


if __name__ == "__main__":
    main()
