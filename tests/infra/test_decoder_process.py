"""The decoder process and its protocol, run in the process of the tests."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Picture, Pixels
from domain.errors import TooManyPixels, UnsupportedFormat
from infra.pillow import decoder_process
from infra.pillow.decode import PictureDecoder
from infra.pillow.decoder_protocol import (
    LENGTH_PREFIX,
    pack_message,
    pack_response,
    unpack_response,
)
from infra.pillow.picture_files import PictureLimits
from tests.pictures import encoded, flag, some_exif

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.pillow.decoder_protocol import Response

OPTIONS = {
    "encoder_side": 16,
    "takes_centre_crop": True,
    "max_pixels": 10_000,
    "max_frames": 5,
    "default_zone": "",
    "with_descriptions": True,
}


@pytest.fixture(autouse=True)
def cpu_limit(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Record the limits instead of setting them: they would apply to the process of the tests."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limit: limits.append(limit))
    return limits


def responses_to(*tasks: bytes) -> Iterator[Response]:
    output = io.BytesIO()
    decoder_process.serve(io.BytesIO(b"".join(tasks)), output, cpu_seconds=10)
    output.seek(0)
    head, body = LENGTH_PREFIX.unpack(output.read(LENGTH_PREFIX.size))
    assert (json.loads(output.read(head)), body) == ("ready", 0)
    pixels = None
    while lengths := output.read(LENGTH_PREFIX.size):
        head, body = LENGTH_PREFIX.unpack(lengths)
        response = unpack_response(output.read(head), output.read(body), pixels=pixels)
        yield response
        pixels = response if isinstance(response, Pixels) else None


def test_a_decoder_process_responds_to_one_task_after_another(
    cpu_limit: list[tuple[int, int]],
) -> None:
    data = encoded(flag((90, 60)), "JPEG", exif=some_exif(6))
    decoder = PictureDecoder(PictureLimits(10_000, 5), encoder_side=16, takes_centre_crop=True)
    picture = decoder.decode(data)
    pixels = decoder.decode_pixels(data)
    expected = [picture.large, picture.pixels, replace(picture, large=None), pixels]
    assert expected == list(
        responses_to(
            pack_message({"name": "render_large", **OPTIONS}, data),
            pack_message({"name": "decode", "with_large": False, **OPTIONS}, data),
            pack_message({"name": "decode_pixels", **OPTIONS}, data),
        )
    )
    assert len(cpu_limit) == 3


def test_a_refusal_is_a_response_and_the_next_task_runs() -> None:
    data = encoded(flag((90, 60)), "PNG")
    no_picture, too_large, pixels, picture = responses_to(
        pack_message({"name": "decode", "with_large": True, **OPTIONS}, b"no picture"),
        pack_message(
            {"name": "decode", "with_large": True, **OPTIONS}, encoded(flag((900, 60)), "PNG")
        ),
        pack_message({"name": "decode", "with_large": True, **OPTIONS}, data),
    )
    assert isinstance(no_picture, UnsupportedFormat)
    assert isinstance(too_large, TooManyPixels)
    assert "900 x 60 pixels" in too_large.message
    assert isinstance(picture, Picture)
    assert picture.large
    assert pixels == picture.pixels
    assert picture.exif is None


def test_pixels_survive_packing_and_unpacking() -> None:
    pixels = Pixels(2, 1, b"abcdef")
    message = pack_response(pixels)
    head, body = LENGTH_PREFIX.unpack(message[: LENGTH_PREFIX.size])
    text = message[LENGTH_PREFIX.size : LENGTH_PREFIX.size + head]
    assert body == 6
    assert pixels == unpack_response(text, message[-body:])


def test_a_decoder_process_sets_its_limits_and_redirects_the_output_of_decoders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpu_limit: list[tuple[int, int]]
) -> None:
    redirected: list[int] = []
    actions: dict[int, object] = {}
    oom_score = tmp_path / "oom_score_adj"
    monkeypatch.setattr(decoder_process, "_OOM_SCORE_FILE", oom_score)
    monkeypatch.setattr(signal, "signal", actions.__setitem__)
    task = pack_message({"name": "decode_pixels", **OPTIONS}, encoded(flag((9, 6)), "PNG"))
    monkeypatch.setattr(sys, "argv", ["decoder_process", "2.5", "1000000"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(task)))
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(os, "dup", lambda fd: os.open(tmp_path / str(fd), os.O_CREAT | os.O_WRONLY))
    monkeypatch.setattr(os, "dup2", lambda _source, target: redirected.append(target))
    decoder_process.main()
    sys.stderr.close()
    no_core, memory, _cpu = cpu_limit
    assert (no_core, memory) == ((0, 0), (1_000_000, 1_000_000))
    assert redirected == [1, 2]
    assert {signal.SIG_IGN} == {actions[each] for each in (signal.SIGTERM, signal.SIGINT)}
    assert signal.SIG_DFL is actions[signal.SIGXCPU]
    assert "1000" == oom_score.read_text()
    assert (tmp_path / "1").read_bytes().count(b"pixels") == 1
