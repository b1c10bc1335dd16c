"""A process that decodes pictures, one after another, for the server that started it.

It reads tasks from its standard input and writes answers to its standard output, and ends with
its input: so it never outlives its server by more than one picture.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import UploadRefusal
from infra.pillow.decode import PictureDecoder
from infra.pillow.decoder_protocol import LENGTHS, pack, pack_answer
from infra.pillow.picture_files import Bounds

if TYPE_CHECKING:
    from typing import BinaryIO

    from infra.pillow.decoder_protocol import Answer


def serve(tasks: BinaryIO, answers: BinaryIO, *, cpu_seconds: float) -> None:
    """Say that all is ready, then answer until there are no more tasks."""
    answers.write(pack("ready"))
    answers.flush()
    while lengths := tasks.read(LENGTHS.size):
        head, body = (tasks.read(length) for length in LENGTHS.unpack(lengths))
        _allow(cpu_seconds)
        answers.write(pack_answer(_answer(json.loads(head), body)))
        answers.flush()


def _answer(task: dict[str, int | str], data: bytes) -> Answer:
    decoder = PictureDecoder(
        Bounds(int(task["max_pixels"]), int(task["max_frames"])), int(task["encoder_side"])
    )
    try:
        match task["name"]:
            case "decode":
                return decoder.decode(data)
            case "inspect":
                return decoder.inspect(data)
        return decoder.decode_pixels(data)
    except UploadRefusal as refusal:
        return refusal


def _allow(cpu_seconds: float) -> None:
    """Let the process be ended once it has used this much more of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + cpu_seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def main() -> None:
    """Serve, within the limits named on the command line: CPU seconds a picture, and bytes."""
    cpu_seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # macOS knows no limit of this kind.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # Python's own words go to the log. What decoders print must neither get between the answers
    # nor let a stranger's file write to the log.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    answers = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    # The server may end while a picture is being decoded.
    with suppress(BrokenPipeError), os.fdopen(answers, "wb") as pipe:
        serve(sys.stdin.buffer, pipe, cpu_seconds=cpu_seconds)


if __name__ == "__main__":
    main()
