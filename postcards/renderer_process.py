"""Renders postcards as JPEG files: as a function, and as a process that reads seeds from a pipe.

``python -m postcards.renderer_process`` reads one seed per line from standard input. For each it
writes a file to standard output, preceded by its length in four bytes, big-endian. It ends at the
end of its input, so it also ends after its parent was killed.
"""

from __future__ import annotations

import io
import sys

from postcards.metadata import PostcardMetadata
from postcards.painting.postcard import draw

JPEG_SIZE = (960, 640)
JPEG_QUALITY = 90
LENGTH_BYTES = 4
"""The size of the length before each file."""


def render_jpeg(seed: int, size: tuple[int, int] = JPEG_SIZE) -> bytes:
    """Return the file of a postcard with EXIF. The same seed and Pillow give the same bytes."""
    scene, picture = draw(seed, size)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY, exif=PostcardMetadata(scene).exif())
    return file.getvalue()


def main() -> None:
    """Render the seeds of standard input."""
    for line in sys.stdin:
        file = render_jpeg(int(line))
        sys.stdout.buffer.write(len(file).to_bytes(LENGTH_BYTES) + file)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
