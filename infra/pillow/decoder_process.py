"""A decoder process: reads tasks from standard input, writes responses to standard output.

It ends at the end of its input, so that it outlives a killed server by one picture at most. It
ignores the signals that stop a service, so that the server can finish the pictures it has accepted.
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
from infra.pillow.decode import MetadataReading, PictureDecoder
from infra.pillow.decoder_protocol import LENGTH_PREFIX, pack_message, pack_response
from infra.pillow.picture_files import PictureLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from domain.entities.images import Pixels
    from infra.pillow.decoder_protocol import Response

_IGNORED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The kernel kills processes with a high score first: decoder processes are replaced, servers not.
_OOM_SCORE_FILE = Path("/proc/self/oom_score_adj")
_MAX_OOM_SCORE = "1000"


def serve(tasks: BinaryIO, responses: BinaryIO, *, cpu_seconds: float) -> None:
    """Write ``ready``, then respond to each task until the input ends."""
    responses.write(pack_message("ready"))
    responses.flush()
    while lengths := tasks.read(LENGTH_PREFIX.size):
        head, body = (tasks.read(length) for length in LENGTH_PREFIX.unpack(lengths))
        _extend_cpu_limit(cpu_seconds)

        def respond(response: Response) -> None:
            responses.write(pack_response(response))
            responses.flush()

        respond(_run_task(json.loads(head), body, on_pixels=respond))


def _run_task(
    task: dict[str, int | str], data: bytes, *, on_pixels: Callable[[Pixels], None]
) -> Response:
    decoder = PictureDecoder(
        PictureLimits(int(task["max_pixels"]), int(task["max_frames"])),
        int(task["encoder_side"]),
        takes_centre_crop=bool(task["takes_centre_crop"]),
        reading=MetadataReading(str(task["default_zone"]) or None, bool(task["with_descriptions"])),
    )
    try:
        match task["name"]:
            case "decode":
                return decoder.decode(
                    data, with_large=bool(task["with_large"]), on_pixels=on_pixels
                )
            case "render_large":
                return decoder.render_large(data)
            case "inspect":
                return decoder.inspect(data)
        return decoder.decode_pixels(data)
    except UploadRefusal as refusal:
        return refusal


def _extend_cpu_limit(cpu_seconds: float) -> None:
    """Set RLIMIT_CPU to the CPU time used so far plus ``cpu_seconds``."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + cpu_seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def main() -> None:
    """Serve within the limits of the command line: CPU seconds per picture, bytes of memory."""
    cpu_seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    for number in _IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Only Linux has this file.
    with suppress(OSError):
        _OOM_SCORE_FILE.write_text(_MAX_OOM_SCORE)
    # macOS does not support RLIMIT_AS.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # C libraries print to descriptors 1 and 2. On 1 that would corrupt the responses, on 2 it would
    # let an uploaded file write to the log. Python's own error messages keep going to the log.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    responses = os.dup(1)
    with Path(os.devnull).open("wb") as devnull:
        os.dup2(devnull.fileno(), 1)
        os.dup2(devnull.fileno(), 2)
    # The server may end while a picture is being decoded.
    with suppress(BrokenPipeError), os.fdopen(responses, "wb") as pipe:
        serve(sys.stdin.buffer, pipe, cpu_seconds=cpu_seconds)


if __name__ == "__main__":
    main()
