"""``python -m benchmarks.importing``: the rate of an import, compared with the encoder alone.

With ``--kill M --postcards FOLDER`` the real command imports M postcards from a bucket. It is
killed three times at random and then runs to its end. Exactly M pictures must be found. The
postcards are kept in FOLDER for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.photos import make_photo
from benchmarks.postcard_files import render_files
from benchmarks.true_size_model import make_checkpoint
from domain.entities.filters import EVERYTHING, SortField
from domain.entities.images import Pixels
from domain.entities.listing import Sort, Window, position_of
from infra.locations import root_of
from infra.s3.client import S3Client
from infra.settings import read_settings
from pictograph import app
from postcards import MODEL
from tests.e2e.process import COMMAND, environment
from tests.s3_server import ACCESS_KEY, create_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain import UseCases

PICTURES = 40
"""Of 12 megapixels each."""

BATCH_SIZE = 64
KILLS = 3
MEBIBYTE = 1 << 20


async def put(url: str, bucket: str, files: Iterator[tuple[str, bytes]]) -> None:
    """Upload files into a bucket."""
    async with S3Client.connect(
        endpoint_url=url, region="us-east-1", access_key_id=ACCESS_KEY, secret_access_key=ACCESS_KEY
    ) as client:
        while some := list(itertools.islice(files, BATCH_SIZE)):
            await asyncio.gather(
                *(
                    client.client.put_object(Bucket=bucket, Key=name, Body=data)
                    for name, data in some
                )
            )


@contextmanager
def s3_process() -> Iterator[str]:
    """Run moto's server in another process, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def s3_settings(url: str) -> dict[str, object]:
    """Return the settings for a bucket of the moto server."""
    return {
        "s3_endpoint_url": url,
        "s3_access_key_id": ACCESS_KEY,
        "s3_secret_access_key": ACCESS_KEY,
    }


async def import_rate(use_cases: UseCases, location: str) -> float:
    """Import a folder or bucket, and return the pictures per second."""
    root = root_of(location)
    began = time.perf_counter()
    listing = asyncio.ensure_future(use_cases.reconcile(root))
    key_range = (await use_cases.reconcile.object_listing.split(root))[0]
    async for _ in use_cases.index_found(lambda: key_range, listing=listing):
        pass
    return (await listing).to_index / (time.perf_counter() - began)


async def encoder_rate(use_cases: UseCases, files: list[bytes]) -> float:
    """Return the encoder's rate for pictures that are decoded in memory, in pictures per second."""
    pictures = []
    for data in files:
        with Image.open(io.BytesIO(data)) as picture:
            pictures.append(Pixels(*picture.size, picture.convert("RGB").tobytes()))
    encoder = use_cases.index.encoder
    await encoder.encode_images(pictures[:8])
    began = time.perf_counter()
    for start in range(0, len(pictures), BATCH_SIZE):
        await encoder.encode_images(pictures[start : start + BATCH_SIZE])
    return len(pictures) / (time.perf_counter() - began)


def fill_folder(folder: Path, files: list[bytes]) -> Path:
    """Create a folder with these files, and return it."""
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number}.jpg").write_bytes(data)
    return folder


async def compare_rates(model: Path, url: str, count: int) -> None:
    """Measure the encoder, then imports of a folder and of a bucket, then the encoder again."""
    with tempfile.TemporaryDirectory() as folder:
        files = [make_photo(number) for number in range(3 * count)]
        pictures = fill_folder(Path(folder, "pictures"), files[:count])
        bucket = await asyncio.to_thread(create_bucket, url)
        named = ((f"{number}.jpg", data) for number, data in enumerate(files[count : 2 * count]))
        await put(url, bucket, named)
        settings = read_settings(
            model=str(model), data_dir=Path(folder, "data"), log_level="warning", **s3_settings(url)
        )
        async with app.open_pictograph(settings) as pictograph:
            use_cases = pictograph.use_cases
            before = await encoder_rate(use_cases, files[2 * count :])
            rates = {
                "folder": await import_rate(use_cases, str(pictures)),
                "bucket": await import_rate(use_cases, f"s3://{bucket}"),
            }
            after = await encoder_rate(use_cases, files[2 * count :])
        alone = (before + after) / 2
        print(f"{model.name}: encode_images alone {before:.1f} and {after:.1f} pictures/s")
        for source, rate in rates.items():
            print(f"  import of a {source:6} {rate:7.1f} pictures/s: {rate / alone:.2f}")


class PeakMemory:
    """The peak memory of the processes of a tree, in bytes, by the kind of process."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}

    def sample(self, pid: int) -> None:
        """Read the peaks of a process and its descendants."""
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:  # the process has ended
            return
        if peak := re.search(r"VmHWM:\s+(\d+) kB", status):
            kind = "decoder" if "decoder_process" in command else "import"
            kind = kind if "python" in command else "other"
            self.peaks[kind] = max(self.peaks.get(kind, 0), 1024 * int(peak[1]))
        for child in children:
            self.sample(int(child))


@contextmanager
def run_import(bucket: str, settings: dict[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command. It is killed at the end of the block if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "import", f"s3://{bucket}"],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def watch(process: subprocess.Popen[bytes], memory: PeakMemory, seconds: float | None) -> None:
    """Sample the memory of a process until it ends, or for this many seconds."""
    end = None if seconds is None else time.monotonic() + seconds
    while process.poll() is None and (end is None or time.monotonic() < end):
        memory.sample(process.pid)
        time.sleep(0.2)


def count_thumbnails(data_dir: Path) -> int:
    """Return the number of pictures with a thumbnail."""
    return sum(1 for _ in (data_dir / "files").glob("*/*/thumbnail"))


async def kill_imports(url: str, folder: Path, count: int, *, seed: int | None) -> None:
    """Kill an import repeatedly, then run it to its end, and compare what searches find."""
    rng = random.Random(seed)
    files = await render_files(folder, count)
    bucket = await asyncio.to_thread(create_bucket, url)
    await put(url, bucket, ((file.name, file.read_bytes()) for file in files))
    data = Path(tempfile.mkdtemp(prefix="pictograph-import-"))
    settings = {"model": str(MODEL), "data_dir": data, "log_level": "error", **s3_settings(url)}
    memory = PeakMemory()
    try:
        kill_points = sorted(rng.randrange(count) for _ in range(KILLS))
        for kill_point in kill_points:
            with run_import(bucket, settings) as process:
                while process.poll() is None and count_thumbnails(data) <= kill_point:
                    watch(process, memory, 0.5)
                await asyncio.sleep(rng.random())
            print(f"  killed with {count_thumbnails(data)} of {count} pictures in storage")
        began = time.perf_counter()
        with run_import(bucket, settings) as process:
            watch(process, memory, None)
            took = time.perf_counter() - began
            output = process.stdout.read().decode().strip() if process.stdout else ""
        print(f"  {output}")
        indexed = int(re.sub(r".*found: ([\d,]+) indexed.*", r"\1", output).replace(",", ""))
        print(
            f"  the last run: {indexed / took:.1f} pictures/s, including its start and the "
            "30 s until the leases of the killed run expire"
        )
        async with app.open_pictograph(read_settings(**settings)) as pictograph:
            use_cases = pictograph.use_cases
            names = {file.name for file in files}
            found = await found_names(use_cases)
            alone = await encoder_rate(use_cases, [file.read_bytes() for file in files[:200]])
            embedded = await use_cases.describe.embedded_count()
        print(f"  encode_images alone {alone:.1f} pictures/s")
        for kind, peak in memory.peaks.items():
            print(f"  peak memory of a process ({kind}): {peak / MEBIBYTE:.0f} MiB")
        complete = sorted(names) == sorted(found) and embedded == count
        verdict = "complete" if complete else "NOT COMPLETE"
        print(f"  {len(found)} pictures, {embedded} of them searchable: {verdict}")
        if not complete:
            raise SystemExit(1)
    finally:
        await asyncio.to_thread(shutil.rmtree, data, ignore_errors=True)


async def found_names(use_cases: UseCases) -> list[str]:
    """Return the file names of all pictures."""
    names, sort, after = list[str](), Sort(SortField.FILENAME), None
    while True:
        page = await use_cases.list(EVERYTHING, sort, Window(100, after=after))
        names += [image.filename for image in page.images]
        if not page.has_next:
            return names
        after = position_of(page.images[-1], sort)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--kill", type=int, metavar="M")
    parser.add_argument("--postcards", type=Path, default=Path("build/postcards"))
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with s3_process() as url, tempfile.TemporaryDirectory() as folder:
        if options.kill:
            print(f"{options.kill} postcards in a bucket, killed {KILLS} times by kill -9")
            await kill_imports(url, options.postcards, options.kill, seed=options.seed)
            return
        make_checkpoint(Path(folder, "b32"))
        for model in (Path(folder, "b32"), MODEL):
            await compare_rates(model, url, options.pictures)


if __name__ == "__main__":
    asyncio.run(main())
