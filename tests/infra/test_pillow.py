"""The processes that decode pictures: limited, killed, replaced, and never in each other's way."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from domain.errors import InvalidContent, Misconfigured, Refusal
from infra.pillow.decoder_pool import DecoderLimits, DecoderPool
from infra.pillow.imaging import ACCEPTED_CONTENT_TYPES, PillowImaging
from tests.pictures import FORMATS, encoded, flag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GPS = Path("../shared/data/gps")
PLAIN = encoded(flag(), "PNG")
LIMITS = DecoderLimits(seconds=5, memory_bytes=1 << 30)


@pytest.fixture
async def imaging() -> AsyncIterator[PillowImaging]:
    async with PillowImaging(encoder_side=16, decode_seconds=3, workers=2) as opened:
        yield opened


def endless_jpeg() -> bytes:
    """Return a small progressive JPEG with thousands of scans, each over all of its pixels."""
    file = io.BytesIO()
    Image.new("L", (4000, 4000), 90).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    # The last scan refines the lowest bit of all but the first coefficient: as often as you like.
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    return data[:-2] + scan * (400_000 // len(scan)) + data[-2:]


def workers_of(pid: int) -> list[int]:
    """Return the processes that decode for this one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"infra.pillow.decoder_process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_the_accepted_media_types_are_those_of_the_eight_formats() -> None:
    assert tuple(FORMATS.values()) == ACCEPTED_CONTENT_TYPES


async def test_a_picture_that_takes_too_long_is_refused_and_holds_up_no_other(
    imaging: PillowImaging,
) -> None:
    endless = asyncio.create_task(imaging.decode(endless_jpeg()))
    await asyncio.sleep(0.1)
    for _ in range(5):
        assert (await imaging.decode(PLAIN)).width == 120
    assert not endless.done()
    with pytest.raises(InvalidContent, match="longer than 3 seconds; save it anew"):
        await endless
    assert (await imaging.decode(PLAIN)).width == 120


async def test_a_worker_that_was_killed_at_rest_is_replaced(imaging: PillowImaging) -> None:
    before = workers_of(os.getpid())
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    developed = await asyncio.gather(*(imaging.decode(PLAIN) for _ in range(4)))
    assert {120} == {picture.width for picture in developed}
    assert not set(before) & set(workers_of(os.getpid()))


async def test_a_worker_that_dies_of_a_picture_refuses_it_and_is_replaced(
    imaging: PillowImaging, caplog: pytest.LogCaptureFixture
) -> None:
    before = workers_of(os.getpid())
    deadly = asyncio.create_task(imaging.decode_pixels(endless_jpeg()))
    await asyncio.sleep(0.2)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(InvalidContent, match="damaged, or takes more"):
        await deadly
    assert "with status -9" in caplog.text
    assert (await imaging.decode(PLAIN)).width == 120


async def test_who_gives_up_leaves_no_answer_to_the_next(imaging: PillowImaging) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await imaging.decode(endless_jpeg())
        assert (await imaging.decode(PLAIN)).width == 120


async def test_who_gives_up_waiting_takes_nobodys_place() -> None:
    async with PillowImaging(encoder_side=16, decode_seconds=2, workers=1) as imaging:
        busy = asyncio.create_task(imaging.decode(endless_jpeg()))
        waiting = [asyncio.create_task(imaging.decode(PLAIN)) for _ in range(3)]
        await asyncio.sleep(0.1)
        waiting[0].cancel()
        with suppress(InvalidContent):
            await busy
        waiting[1].cancel()
        assert (await waiting[2]).width == 120
        assert (await imaging.decode(PLAIN)).width == 120


async def test_memory_is_limited() -> None:
    huge = encoded(Image.new("RGB", (6000, 6000)), "PNG")
    async with PillowImaging(encoder_side=16, decode_memory_bytes=200 << 20, workers=1) as imaging:
        with pytest.raises(InvalidContent, match="memory"):
            await imaging.decode(huge)
        assert (await imaging.decode(PLAIN)).width == 120


async def test_decoding_for_a_search_goes_ahead_of_uploads_that_wait() -> None:
    done: list[str] = []
    async with PillowImaging(encoder_side=16, workers=1) as imaging:

        async def upload() -> None:
            await imaging.decode(PLAIN)
            done.append("upload")

        async def search() -> None:
            await imaging.decode_pixels(PLAIN)
            done.append("search")

        await asyncio.gather(*(upload() for _ in range(5)), search())
    assert done == ["upload", "search", *["upload"] * 4]


async def test_workers_end_with_the_imaging(imaging: PillowImaging) -> None:
    pids = workers_of(os.getpid())
    await imaging.__aexit__()
    assert not any(_runs(pid) for pid in pids)


async def test_a_worker_ends_when_its_server_is_killed() -> None:
    program = (
        "import asyncio, os\n"
        "from infra.pillow.imaging import PillowImaging\n"
        "async def main():\n"
        "    async with PillowImaging(encoder_side=16, workers=1):\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    assert server.stdout
    assert await server.stdout.readline() == b"ready\n"
    [pid] = workers_of(server.pid)
    server.kill()
    await server.communicate()
    await asyncio.to_thread(_wait_for_end, pid)


def _wait_for_end(pid: int) -> None:
    while _runs(pid):
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return b"infra.pillow.decoder_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_workers_know_none_of_the_servers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTOGRAPH_API_KEY", "secret")
    async with PillowImaging(encoder_side=16, workers=1):
        [pid] = workers_of(os.getpid())
        environment = _environment_of(pid)
    assert b"PYTHONPATH=" in environment
    assert b"secret" not in environment


async def test_a_folder_named_infra_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = tmp_path / "infra" / "pillow"
    shadow.mkdir(parents=True)
    for folder in (tmp_path / "infra", shadow):
        (folder / "__init__.py").touch()
    (shadow / "decoder_process.py").write_text("raise SystemExit('the wrong module was run')")
    monkeypatch.chdir(tmp_path)
    # An empty entry of PYTHONPATH would be the working directory as well.
    monkeypatch.syspath_prepend("")
    async with PillowImaging(encoder_side=16, workers=1) as imaging:
        assert (await imaging.decode(PLAIN)).width == 120


async def test_what_decoders_print_reaches_neither_answers_nor_log(
    imaging: PillowImaging, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = encoded(flag((60, 40)), "TIFF", compression="jpeg")
    with pytest.raises(InvalidContent):
        await imaging.decode(whole.replace(b"\xff\xd8", b"\0\0"))
    assert (await imaging.decode(PLAIN)).width == 120
    assert capfd.readouterr() == ("", "")


async def test_workers_load_no_model_library() -> None:
    program = (
        "import sys, infra.pillow.decoder_process;"
        "print({'torch', 'numpy', 'pydantic'} & {*sys.modules})"
    )
    python = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await python.communicate()
    assert printed == b"set()\n"


@pytest.mark.parametrize("python", ["/bin/false", "/bin/no-such-program"])
async def test_workers_that_do_not_start_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(Misconfigured, match="end before they are ready"):
        async with DecoderPool(1, LIMITS):
            pass


async def test_a_worker_that_cannot_be_replaced_is_an_outage_and_no_fault_of_the_picture(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in workers_of(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(EOFError):
            await imaging.decode(PLAIN)
    assert (await imaging.decode(PLAIN)).width == 120


async def test_who_gives_up_when_its_turn_comes_passes_it_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = {"name": "decode_pixels", "encoder_side": 16, "max_pixels": 10_000, "max_frames": 1}
    async with DecoderPool(1, LIMITS) as workers:
        give = workers._give  # noqa: SLF001 - the moment is too short to be met from outside

        def give_and_cancel(slot: Any) -> None:  # noqa: ANN401 - whatever it is
            give(slot)
            second.cancel()

        first, second, third = (asyncio.create_task(workers.run(task, PLAIN)) for _ in range(3))
        monkeypatch.setattr(workers, "_give", give_and_cancel)
        assert await first == await third
        assert second.cancelled()


async def test_an_answer_that_is_too_long_is_not_read(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("infra.pillow.decoder_pool.MOST_BODY", 100)
        with pytest.raises(InvalidContent, match="damaged"):
            await imaging.decode(PLAIN)
    assert (await imaging.decode(PLAIN)).width == 120


async def test_a_worker_is_replaced_after_many_pictures(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.pillow.decoder_pool._TASKS_OF_A_LIFE", 2)
    before = set(workers_of(os.getpid()))
    for _ in range(6):
        assert (await imaging.decode(PLAIN)).width == 120
    assert before != set(workers_of(os.getpid()))


@pytest.mark.skipif(not GPS.is_dir(), reason="the photos of ../shared/data are not here")
async def test_photos_keep_their_exif_on_the_way_from_the_worker(imaging: PillowImaging) -> None:
    picture = await imaging.decode((GPS / "DSCN0042.jpg").read_bytes())
    assert picture.exif
    assert picture.exif.camera_model == "COOLPIX P6000"
    assert picture.exif.location
    assert picture.exif.location.latitude == pytest.approx(43.464455)
    assert (picture.width, picture.height) == (640, 480)


async def test_twenty_pictures_at_once_are_all_developed(imaging: PillowImaging) -> None:
    sizes = [(40 + n, 30) for n in range(20)]
    files = [encoded(flag(size), "JPEG") for size in sizes]
    outcomes = await asyncio.gather(
        *(imaging.decode(data) for data in files), imaging.decode(b"x"), return_exceptions=True
    )
    refused = outcomes.pop()
    assert isinstance(refused, Refusal)
    assert sizes == [(p.width, p.height) for p in outcomes if not isinstance(p, BaseException)]
