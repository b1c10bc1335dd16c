"""How well relevance parts hits from noise, and the curves that say so.

``python -m benchmarks.relevance``: recorded embeddings of CLIP ViT-B/32 where they are at hand, and
the model in the box, whose curves are written beside its weights with ``--write``.
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

from benchmarks.judged import Judged, judged_by_picture, recorded
from benchmarks.real_clip import FOLDER
from domain.entities import relevance
from domain.entities.relevance import STRONG, Calibration, Curve
from infra.clip.checkpoint import CALIBRATION
from infra.clip.concepts import read_concepts
from infra.clip.embedding_space import TextJudge
from infra.clip.encoder import ClipEncoder
from postcards import MODEL, queries
from postcards.evaluate import Evaluation
from postcards.facts import neighbours
from postcards.grammar import PLAIN_GRAMMAR

if TYPE_CHECKING:
    from benchmarks.judged import Array

ALLOWED = 0.05
"""The share of absent things that may find a strong hit, of strong likenesses that may be none."""

BACKGROUNDS = (0.0, 0.1, 0.2, 0.35, 0.5, 1.0)
"""What is tried for how much of everything else counts."""

STRANGE = 0.35
"""Concepts less like to all that the model in the box knows than this are nothing to it."""

UNSEEN = frozenset(
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
"""Sections of the concepts that have nothing to do with postcards."""


def text_curve(judged: Judged, absent: Array) -> Curve:
    """Return the curve for texts: LIKELY where F1 is best, STRONG where nearly no absent thing is.

    ``absent`` has the largest margin that each query for something absent finds.
    """
    _, midpoint = judged.best()
    return _curve(midpoint, strong_bound(absent))


def strong_bound(absent: Array) -> float:
    """Return the least strong margin, for half of the misses that are allowed.

    The things it is chosen by say only so much of others, which shall keep within all of them.
    """
    return float(np.quantile(absent, 1 - ALLOWED / 2, method="higher"))


def misses(absent: Array, *, splits: int = 200) -> float:
    """Return the share of absent things with a strong hit by the bound that others chose."""
    random, shares, half = Random(0), [], len(absent) // 2
    for _ in range(splits):
        shuffled = np.array(random.sample(absent.tolist(), len(absent)))
        shares.append((shuffled[:half] > strong_bound(shuffled[half:])).mean())
    return float(np.mean(shares))


def picture_curve(judged: Judged) -> Curve:
    """Return the curve for pictures: LIKELY as above, STRONG where nearly all are alike."""
    _, midpoint = judged.best()
    order = np.argsort(-judged.values, axis=None)
    precision = np.cumsum(judged.relevant.ravel()[order]) / np.arange(1, len(order) + 1)
    last = int(np.flatnonzero(precision >= 1 - ALLOWED).max(initial=0))
    return _curve(midpoint, float(judged.values.ravel()[order[last]]))


def _curve(midpoint: float, strong: float) -> Curve:
    """Round so that the bound of STRONG is never lowered."""
    middle = round(midpoint, 1)
    spread = (strong - middle) / math.log(STRONG / (1 - STRONG))
    return Curve(middle, math.ceil(10 * max(spread, 0.1)) / 10)


def report(name: str, judged: Judged, curve: Curve, absent: Array | None = None) -> None:
    """Print how a curve does."""
    strong = curve.midpoint + curve.spread * math.log(STRONG / (1 - STRONG))
    best, _ = judged.best()
    print(f"{name}: midpoint {curve.midpoint:.1f}, spread {curve.spread:.1f}")
    print(f"  F1 at LIKELY {judged.f1(curve.midpoint):.3f} (best {best:.3f})")
    print(f"  F1 on held-out thirds of the queries {judged.held_out(splits=60):.3f}")
    is_strong = judged.values >= strong
    print(f"  STRONG: precision {judged.relevant[is_strong].mean():.3f}", end="")
    print(f", recall {is_strong[judged.relevant].mean():.3f}", end="")
    if absent is None:
        print()
        return
    print(f"; of absent things {(absent >= strong).mean():.3f} have one", end="")
    print(f", {misses(absent):.3f} of those that did not choose the bound")


def on_recorded() -> None:
    """Measure CLIP, and what a fixed cosine or z-score would do in its place."""
    clip = recorded()
    scores = clip.queries @ clip.pictures.T
    z = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    for name, values in (("cosine", scores), ("z-score", z)):
        judged = Judged(values, clip.relevant)
        print(f"F1 of one bound on the {name}: best {judged.best()[0]:.3f}", end="")
        print(f", held out {judged.held_out(splits=60):.3f}")
    judged = Judged(clip.margins(clip.queries), clip.relevant)
    absent = clip.margins(clip.absent).max(axis=1)
    print(f"calibration gives {text_curve(judged, absent)}, {picture_curve(clip.by_picture())}")
    report("CLIP ViT-B/32, texts", judged, relevance.CLIP.text, absent)
    report("CLIP ViT-B/32, pictures", clip.by_picture(), relevance.CLIP.image)


async def on_postcards() -> Calibration:
    """Calibrate the model in the box on postcards that it never saw."""
    evaluation = Evaluation(MODEL, console=Console(stderr=True))
    pool = evaluation.pool(queries.held_out_scenes(1_000), "1,000 postcards")
    async with ClipEncoder.open(str(MODEL)) as encoder:
        scale = encoder.model.logit_scale
    bank = evaluation.embed(read_concepts())
    words, random = queries.vocabulary(), Random(0)
    asked = [*words, *queries.compounds()]
    texts = evaluation.embed([PLAIN_GRAMMAR.caption(each, random) for each in asked])

    def margins(points: Array, background: float) -> Array:
        judge = TextJudge(pool.embeddings, bank, scale=scale, background=background)
        return np.stack([judge(each) for each in points])

    relevant = np.array([pool.relevant(each) for each in asked])
    by_share = {share: Judged(margins(texts, share), relevant) for share in BACKGROUNDS}
    for share, each in by_share.items():
        print(f"background {share}: F1 {each.best()[0]:.3f}")
    background = max(by_share, key=lambda share: by_share[share].best()[0])
    judged = by_share[background]
    absent = margins(_strange(bank, texts[: len(words)]), background).max(axis=1)
    by_picture = judged_by_picture(
        pool.embeddings,
        neighbours(pool.scenes),
        sample=pool.embeddings[::2],
        scale=scale,
        every=4,
    )
    found = Calibration(text_curve(judged, absent), picture_curve(by_picture), background)
    report("the model in the box, texts", judged, found.text, absent)
    for name, part in (("one thing", slice(len(words))), ("two", slice(len(words), None))):
        some = Judged(judged.values[part], relevant[part])
        print(f"  F1 at LIKELY where {name} is asked for {some.f1(found.text.midpoint):.3f}")
    unseen = margins(evaluation.embed(_unseen()), background).max(axis=1)
    strong = [found.text(float(each)) >= STRONG for each in unseen]
    print(f"  of words that it never learnt {np.mean(strong):.3f} have one")
    report("the model in the box, pictures", by_picture, found.image)
    return found


def _strange(bank: Array, known: Array) -> Array:
    """Return the concepts that the model takes for nothing that it knows."""
    centre = bank.mean(axis=0)
    one, other = (points - centre for points in (bank, known))
    lengths = np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    strange: Array = bank[((one @ other.T) / lengths).max(axis=1) < STRANGE]
    return strange[::6]


def _unseen() -> list[str]:
    """Return concepts of which no postcard shows any: every third of some sections of ours."""
    lines = files("infra.clip").joinpath("concepts.txt").read_text("utf-8").splitlines()
    unseen, section = [], ""
    for line in lines:
        if line.startswith("#"):
            section = line.removeprefix("# ")
        elif section in UNSEEN:
            unseen.append(f"a {line}")
    return unseen[::3]


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relevance", description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if FOLDER.exists():
        on_recorded()
    else:
        print(f"No recorded embeddings in {FOLDER}: CLIP is left out.")
    calibration = asyncio.run(on_postcards())
    if arguments.write:
        file = Path(MODEL, CALIBRATION)
        file.write_text(json.dumps(asdict(calibration)) + "\n")
        print(f"written to {file}")


if __name__ == "__main__":
    main()
