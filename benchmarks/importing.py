"""``python -m benchmarks.importing``: an import beside the encoder alone, in one run.

With ``--kill M --postcards FOLDER`` the real command imports M postcards from a bucket, is killed
three times at random, and is run to the end: exactly M pictures must then be found. The postcards
are drawn into FOLDER, where they stay for the next run.
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

from benchmarks.encoder import make_true_size
from benchmarks.end_to_end import make_file
from benchmarks.postcard_files import render_files
from domain.entities.filters import EVERYTHING, SortField
from domain.entities.images import Pixels
from domain.entities.listing import Sort, Window, position_of
from infra.locations import root_of
from infra.s3.client import S3Client
from infra.settings import read_settings
from pictograph import app
from postcards import MODEL
from tests.e2e.process import COMMAND, environment
from tests.s3_server import KEY, bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain import UseCases

PICTURES = 300
AHEAD = 64
KILLS = 3
MEBIBYTE = 1 << 20


async def put(url: str, bucket: str, files: Iterator[tuple[str, bytes]]) -> None:
    """Fill a bucket."""
    async with S3Client.connect(
        endpoint_url=url, region="us-east-1", access_key_id=KEY, secret_access_key=KEY
    ) as client:
        while some := list(itertools.islice(files, AHEAD)):
            await asyncio.gather(
                *(
                    client.client.put_object(Bucket=bucket, Key=name, Body=data)
                    for name, data in some
                )
            )


@contextmanager
def s3_process() -> Iterator[str]:
    """Run moto's server in a process of its own, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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


def store(url: str) -> dict[str, object]:
    """Return the settings by which a bucket of this machine is reached."""
    return {"s3_endpoint_url": url, "s3_access_key_id": KEY, "s3_secret_access_key": KEY}


async def import_rate(use_cases: UseCases, place: str) -> float:
    """Import a place, and return how many pictures a second that were."""
    root = root_of(place)
    began = time.perf_counter()
    listing = asyncio.ensure_future(use_cases.reconcile(root))
    key_range = (await use_cases.reconcile.places.split(root))[0]
    async for _ in use_cases.index_found(lambda: key_range, listing=listing):
        pass
    return (await listing).to_index / (time.perf_counter() - began)


async def encoder_rate(use_cases: UseCases, files: list[bytes]) -> float:
    """Return how many pictures a second are encoded that lie decoded in memory."""
    pictures = []
    for data in files:
        with Image.open(io.BytesIO(data)) as picture:
            pictures.append(Pixels(*picture.size, picture.convert("RGB").tobytes()))
    encoder = use_cases.index.encoder
    await encoder.encode_images(pictures[:8])
    began = time.perf_counter()
    for start in range(0, len(pictures), AHEAD):
        await encoder.encode_images(pictures[start : start + AHEAD])
    return len(pictures) / (time.perf_counter() - began)


def fill_folder(folder: Path, files: list[bytes]) -> Path:
    """Write files into a folder."""
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number}.jpg").write_bytes(data)
    return folder


async def side_by_side(model: Path, url: str, count: int) -> None:
    """Measure the encoder, an import of a folder and one of a bucket, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        files = [make_file(number) for number in range(3 * count)]
        pictures = fill_folder(Path(folder, "pictures"), files[:count])
        bucket = await asyncio.to_thread(bucket_of, url)
        named = ((f"{number}.jpg", data) for number, data in enumerate(files[count : 2 * count]))
        await put(url, bucket, named)
        settings = read_settings(
            model=str(model), data_dir=Path(folder, "data"), log_level="warning", **store(url)
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
        for place, rate in rates.items():
            print(f"  import of a {place:6} {rate:7.1f} pictures/s: {rate / alone:.2f}")


class Memory:
    """The most memory that each process of a tree had, in bytes, by what it runs."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}

    def sample(self, pid: int) -> None:
        """Look at a process and its descendants."""
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:  # it has ended
            return
        if peak := re.search(r"VmHWM:\s+(\d+) kB", status):
            kind = "decoder" if "picture_worker" in command else "import"
            kind = kind if "python" in command else "other"
            self.peaks[kind] = max(self.peaks.get(kind, 0), 1024 * int(peak[1]))
        for child in children:
            self.sample(int(child))


@contextmanager
def importing(bucket: str, settings: dict[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command, which is killed at the end if it still runs."""
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


def watch(process: subprocess.Popen[bytes], memory: Memory, seconds: float | None) -> None:
    """Look at its memory until it ends, or for so many seconds."""
    end = None if seconds is None else time.monotonic() + seconds
    while process.poll() is None and (end is None or time.monotonic() < end):
        memory.sample(process.pid)
        time.sleep(0.2)


def kept(data_dir: Path) -> int:
    """How many pictures have renditions."""
    return sum(1 for _ in (data_dir / "files").glob("*/*/thumbnail"))


async def kill(url: str, folder: Path, count: int, *, seed: int | None) -> None:
    """Kill an import again and again, run it to the end, and count what is found."""
    luck = random.Random(seed)
    files = await render_files(folder, count)
    bucket = await asyncio.to_thread(bucket_of, url)
    await put(url, bucket, ((file.name, file.read_bytes()) for file in files))
    data = Path(tempfile.mkdtemp(prefix="pictograph-import-"))
    settings = {"model": str(MODEL), "data_dir": data, "log_level": "error", **store(url)}
    memory = Memory()
    try:
        goals = sorted(luck.randrange(count) for _ in range(KILLS))
        for goal in goals:
            with importing(bucket, settings) as process:
                while process.poll() is None and kept(data) <= goal:
                    watch(process, memory, 0.5)
                await asyncio.sleep(luck.random())
            print(f"  killed with {kept(data)} of {count} pictures in storage")
        began = time.perf_counter()
        with importing(bucket, settings) as process:
            watch(process, memory, None)
            took = time.perf_counter() - began
            said = process.stdout.read().decode().strip() if process.stdout else ""
        print(f"  {said}")
        indexed = int(re.sub(r".*found: ([\d,]+) indexed.*", r"\1", said).replace(",", ""))
        print(
            f"  the last run: {indexed / took:.1f} pictures/s, with its start and the half minute "
            "for which the killed one's leases hold"
        )
        async with app.open_pictograph(read_settings(**settings)) as pictograph:
            use_cases = pictograph.use_cases
            names = {file.name for file in files}
            found = await found_names(use_cases)
            alone = await encoder_rate(use_cases, [file.read_bytes() for file in files[:200]])
            embedded = await use_cases.describe.embedded_count()
        print(f"  encode_images alone {alone:.1f} pictures/s")
        for kind, peak in memory.peaks.items():
            print(f"  most memory of a process ({kind}): {peak / MEBIBYTE:.0f} MiB")
        right = sorted(names) == sorted(found) and embedded == count
        verdict = "right" if right else "WRONG"
        print(f"  {len(found)} pictures, {embedded} of them searchable: {verdict}")
        if not right:
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
    chosen = parser.parse_args()
    with s3_process() as url, tempfile.TemporaryDirectory() as folder:
        if chosen.kill:
            print(f"{chosen.kill} postcards in a bucket, {KILLS} times kill -9")
            await kill(url, chosen.postcards, chosen.kill, seed=chosen.seed)
            return
        make_true_size(Path(folder, "true-size"))
        for model in (Path(folder, "true-size"), MODEL):
            await side_by_side(model, url, chosen.pictures)


if __name__ == "__main__":
    asyncio.run(main())
