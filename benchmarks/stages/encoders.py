"""The model alone: texts of 16 tokens, and batches of 16 pictures."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from benchmarks.bare_engine import best_cpu_rate, operations_of_image
from benchmarks.bench import Rounds, in_turn
from benchmarks.figures import Figure

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.encoder_process import EncoderProcess

SHARE_OF_TIME = 0.15
TOKENS = 16
BATCH = 16
PLAIN_PICTURES = 2
"""Pictures of one measured call of the plain pipeline, which encodes one after another."""


async def measure_encoders(
    bench: Bench, ours: EncoderProcess, plain: EncoderProcess, engine: EncoderProcess
) -> list[Figure]:
    """Return the figures of the model in three processes: Pictograph, plain and engine alone."""
    texts, towers = Rounds(), Rounds()
    config = json.loads((bench.checkpoint / "config.json").read_text())
    operations = operations_of_image(config["vision_config"])
    seconds = bench.budget.measure_seconds / 2
    for number in bench.budget.each_round(SHARE_OF_TIME):
        for encoder in in_turn([ours, plain, engine], number):
            bench.show(f"model: texts, {encoder.name}")
            rate = await asyncio.to_thread(encoder.texts, 1, TOKENS, seconds)
            _values(texts, encoder).append(rate.milliseconds)
        for encoder in in_turn([ours, plain], number):
            bench.show(f"model: pictures, {encoder.name}")
            batch = BATCH if encoder is ours else PLAIN_PICTURES
            rate = await asyncio.to_thread(encoder.images, batch, seconds)
            _values(towers, encoder).append(1_000 * batch / rate.milliseconds)
        bench.show("model: multiplication of matrices")
        towers.floor.append(await asyncio.to_thread(best_cpu_rate) / operations)
    return [
        Figure(
            f"text of {TOKENS} tokens encoded",
            "ms",
            tuple(texts.ours),
            tuple(texts.plain),
            tuple(texts.floor),
            f"the text tower alone ({engine.name})",
        ),
        Figure(
            f"pictures encoded, batches of {BATCH}",
            "/s",
            tuple(towers.ours),
            tuple(towers.plain),
            tuple(towers.floor),
            "multiplication of matrices at the measured speed",
            more_is_better=True,
        ),
    ]


def _values(rounds: Rounds, encoder: EncoderProcess) -> list[float]:
    """Return the list that the values of an encoder belong to."""
    return {"pictograph": rounds.ours, "plain": rounds.plain, "engine": rounds.floor}[encoder.kind]
