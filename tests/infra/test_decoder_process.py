"""What a process that decodes says, seen from inside it."""

from __future__ import annotations

import io
import json
import os
import resource
import sys
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Picture, Pixels
from domain.errors import TooManyPixels, UnsupportedFormat
from infra.pillow import decoder_process as picture_worker
from infra.pillow.decode import PictureDecoder
from infra.pillow.decoder_protocol import LENGTHS, pack, pack_answer, unpack_answer
from infra.pillow.picture_files import Bounds
from tests.pictures import encoded, flag, some_exif

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.pillow.decoder_protocol import Answer

BOUNDS = {"encoder_side": 16, "max_pixels": 10_000, "max_frames": 5}


@pytest.fixture(autouse=True)
def cpu_limit(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Keep the limits that a worker would set for itself away from the tests' own process."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limit: limits.append(limit))
    return limits


def answers(*tasks: bytes) -> Iterator[Answer]:
    said = io.BytesIO()
    picture_worker.serve(io.BytesIO(b"".join(tasks)), said, cpu_seconds=10)
    said.seek(0)
    head, body = LENGTHS.unpack(said.read(LENGTHS.size))
    assert (json.loads(said.read(head)), body) == ("ready", 0)
    while lengths := said.read(LENGTHS.size):
        head, body = LENGTHS.unpack(lengths)
        yield unpack_answer(said.read(head), said.read(body))


def test_a_worker_answers_one_task_after_another(cpu_limit: list[tuple[int, int]]) -> None:
    data = encoded(flag((90, 60)), "JPEG", exif=some_exif(6))
    decoder = PictureDecoder(Bounds(10_000, 5), encoder_side=16)
    assert [decoder.decode(data), decoder.decode_pixels(data)] == list(
        answers(
            pack({"name": "decode", **BOUNDS}, data),
            pack({"name": "decode_pixels", **BOUNDS}, data),
        )
    )
    assert len(cpu_limit) == 2


def test_a_refusal_is_an_answer_and_the_next_task_is_done() -> None:
    data = encoded(flag((90, 60)), "PNG")
    no_picture, too_large, fine = answers(
        pack({"name": "decode", **BOUNDS}, b"no picture"),
        pack({"name": "decode", **BOUNDS}, encoded(flag((900, 60)), "PNG")),
        pack({"name": "decode", **BOUNDS}, data),
    )
    assert isinstance(no_picture, UnsupportedFormat)
    assert isinstance(too_large, TooManyPixels)
    assert "900 x 60 pixels" in too_large.message
    assert isinstance(fine, Picture)
    assert fine.exif is None


def test_pixels_travel_as_they_are() -> None:
    pixels = Pixels(2, 1, b"abcdef")
    message = pack_answer(pixels)
    head, body = LENGTHS.unpack(message[: LENGTHS.size])
    text = message[LENGTHS.size : LENGTHS.size + head]
    assert body == 6
    assert pixels == unpack_answer(text, message[-body:])


def test_a_process_limits_itself_and_keeps_its_answers_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpu_limit: list[tuple[int, int]]
) -> None:
    turned: list[int] = []
    task = pack({"name": "decode_pixels", **BOUNDS}, encoded(flag((9, 6)), "PNG"))
    monkeypatch.setattr(sys, "argv", ["picture_worker", "2.5", "1000000"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(task)))
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(os, "dup", lambda fd: os.open(tmp_path / str(fd), os.O_CREAT | os.O_WRONLY))
    monkeypatch.setattr(os, "dup2", lambda _source, target: turned.append(target))
    picture_worker.main()
    sys.stderr.close()
    no_core, memory, _cpu = cpu_limit
    assert (no_core, memory) == ((0, 0), (1_000_000, 1_000_000))
    assert turned == [1, 2]
    assert (tmp_path / "1").read_bytes().count(b"lengths") == 1
