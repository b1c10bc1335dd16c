"""The pool of decoder processes: limits, kills, replacements, priorities, isolation."""

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

from domain.concurrency import Priority
from domain.errors import InvalidContent, Misconfigured, Overloaded, Refusal
from infra.pillow.decoder_pool import DecoderLimits, DecoderPool, _ProcessSlot
from infra.pillow.imaging import ACCEPTED_CONTENT_TYPES, PillowImaging
from infra.pillow.raw_files import RAW_CONTENT_TYPES
from tests.decoder_processes import decoder_processes_of
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


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """A permit for each task that a process was sent."""
    permits = asyncio.Semaphore(0)
    send = _ProcessSlot._send  # noqa: SLF001 - tells when a process has its task

    async def count(slot: _ProcessSlot, message: bytes) -> None:
        await send(slot, message)
        permits.release()

    monkeypatch.setattr(_ProcessSlot, "_send", count)
    return permits


def endless_jpeg() -> bytes:
    """Return a small progressive JPEG with thousands of scans, each over all of its pixels."""
    file = io.BytesIO()
    Image.new("L", (4000, 4000), 90).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    # The last scan refines the lowest bit of the AC coefficients. It may be repeated without end.
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    return data[:-2] + scan * (400_000 // len(scan)) + data[-2:]


def test_the_accepted_media_types_are_those_of_the_supported_formats() -> None:
    assert (*FORMATS.values(), *RAW_CONTENT_TYPES.values()) == ACCEPTED_CONTENT_TYPES


async def test_a_picture_that_takes_too_long_is_refused_and_blocks_no_others(
    imaging: PillowImaging,
) -> None:
    endless = asyncio.create_task(imaging.decode(endless_jpeg()))
    await asyncio.sleep(0.1)
    for _ in range(5):
        assert (await imaging.decode(PLAIN)).width == 120
    assert not endless.done()
    with pytest.raises(InvalidContent, match="longer than 3 seconds; save it again"):
        await endless
    assert (await imaging.decode(PLAIN)).width == 120


async def test_an_idle_decoder_process_that_was_killed_is_replaced(imaging: PillowImaging) -> None:
    before = decoder_processes_of(os.getpid())
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    pictures = await asyncio.gather(*(imaging.decode(PLAIN) for _ in range(4)))
    assert {120} == {picture.width for picture in pictures}
    assert not set(before) & set(decoder_processes_of(os.getpid()))


async def test_a_picture_that_crashes_its_decoder_process_is_refused(
    imaging: PillowImaging, sent: asyncio.Semaphore, caplog: pytest.LogCaptureFixture
) -> None:
    before = decoder_processes_of(os.getpid())
    deadly = asyncio.create_task(imaging.decode_pixels(endless_jpeg()))
    await sent.acquire()
    for pid in before:
        os.kill(pid, signal.SIGSEGV)
    with pytest.raises(InvalidContent, match="damaged, or takes more"):
        await deadly
    assert "with status -11" in caplog.text
    assert (await imaging.decode(PLAIN)).width == 120


# Not SIGQUIT, which processes in the background of a shell ignore.
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
async def test_a_picture_whose_decoder_process_is_killed_from_outside_is_decoded_by_another(
    imaging: PillowImaging,
    sent: asyncio.Semaphore,
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
) -> None:
    before = decoder_processes_of(os.getpid())
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    decoding = [asyncio.create_task(imaging.decode(PLAIN)) for _ in range(4)]
    async with asyncio.timeout(60):
        for _ in before:
            await sent.acquire()
    for pid in before:
        os.kill(pid, number)
        if number != signal.SIGKILL:  # which needs no SIGCONT, after which the id may be free
            os.kill(pid, signal.SIGCONT)
    assert [120] * 4 == [(await each).width for each in decoding]
    assert 2 == caplog.text.count(f"killed by signal {number}")


async def test_a_picture_whose_decoder_processes_are_always_killed_can_be_sent_again(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    async def kill(slot: Any, _message: bytes) -> None:  # noqa: ANN401 - a private class
        killed.append(slot.process.pid)
        os.kill(slot.process.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr("infra.pillow.decoder_pool._ProcessSlot._send", kill)
        with pytest.raises(Overloaded, match="could not finish decoding this picture; send"):
            await imaging.decode(PLAIN)
    assert 3 == len(set(killed))
    assert (await imaging.decode(PLAIN)).width == 120


async def test_decoder_processes_ignore_the_signals_that_stop_a_service(
    imaging: PillowImaging,
) -> None:
    before = decoder_processes_of(os.getpid())
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    decoding = [asyncio.create_task(imaging.decode(PLAIN)) for _ in range(4)]
    await asyncio.sleep(0.1)
    for pid in before:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCONT):
            os.kill(pid, number)
    assert [120] * 4 == [(await each).width for each in decoding]
    assert before == decoder_processes_of(os.getpid())


async def test_a_picture_whose_decoder_process_gets_no_time_can_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.pillow.decoder_pool._MAX_IDLE_SECONDS", 0.1)
    async with PillowImaging(encoder_side=16, decode_seconds=0.1, workers=1) as imaging:
        [pid] = decoder_processes_of(os.getpid())
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Overloaded, match="too busy to decode this picture; send it again"):
            await imaging.decode(PLAIN)


async def test_pictures_that_wait_while_the_imaging_closes_can_be_sent_again() -> None:
    async with PillowImaging(encoder_side=16, workers=1) as imaging:
        [pid] = decoder_processes_of(os.getpid())
        os.kill(pid, signal.SIGSTOP)
        decoding = [asyncio.create_task(imaging.decode(PLAIN)) for _ in range(3)]
        await asyncio.sleep(0.1)
    for each in decoding:
        with pytest.raises(Overloaded, match="send it again"):
            await each
    assert [] == decoder_processes_of(os.getpid())


async def test_a_cancelled_call_leaves_no_response_to_the_next_one(imaging: PillowImaging) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await imaging.decode(endless_jpeg())
        assert (await imaging.decode(PLAIN)).width == 120


async def test_a_cancelled_waiter_does_not_occupy_a_process() -> None:
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


async def test_a_picture_that_exceeds_the_memory_limit_is_refused() -> None:
    huge = encoded(Image.new("RGB", (6000, 6000)), "PNG")
    async with PillowImaging(encoder_side=16, decode_memory_bytes=200 << 20, workers=1) as imaging:
        with pytest.raises(InvalidContent, match="memory"):
            await imaging.decode(huge)
        assert (await imaging.decode(PLAIN)).width == 120


async def test_waiting_pictures_are_decoded_in_the_order_of_their_priorities() -> None:
    done: list[Priority] = []
    async with PillowImaging(encoder_side=16, workers=1) as imaging:

        async def decode(priority: Priority) -> None:
            await imaging.with_priority(priority).decode_pixels(PLAIN)
            done.append(priority)

        upload, example, background = Priority
        arrivals = [background, background, example, example, upload, upload]
        await asyncio.gather(*map(decode, arrivals))
    # The first one arrived while no other one waited.
    assert done == [background, upload, upload, example, example, background]


async def test_examples_never_occupy_the_last_decoder_process(imaging: PillowImaging) -> None:
    searching = imaging.with_priority(Priority.EXAMPLE)
    endless = endless_jpeg()
    examples = [asyncio.create_task(searching.decode_pixels(endless)) for _ in range(3)]
    await asyncio.sleep(0)
    assert (await imaging.decode(PLAIN)).width == 120
    assert not any(each.done() for each in examples)
    for each in examples:
        each.cancel()
    await asyncio.wait(examples)
    assert (await searching.decode(PLAIN)).width == 120


async def test_decoder_processes_end_with_the_imaging(imaging: PillowImaging) -> None:
    pids = decoder_processes_of(os.getpid())
    await imaging.__aexit__()
    assert not any(_is_running(pid) for pid in pids)


async def test_a_decoder_process_ends_when_its_server_is_killed() -> None:
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
    [pid] = decoder_processes_of(server.pid)
    server.kill()
    await server.communicate()
    await asyncio.to_thread(_wait_for_end, pid)


def _wait_for_end(pid: int) -> None:
    while _is_running(pid):
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        return b"infra.pillow.decoder_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_decoder_processes_do_not_inherit_the_servers_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PICTOGRAPH_API_KEY", "secret")
    async with PillowImaging(encoder_side=16, workers=1):
        [pid] = decoder_processes_of(os.getpid())
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


async def test_output_of_decoders_reaches_neither_responses_nor_log(
    imaging: PillowImaging, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = encoded(flag((60, 40)), "TIFF", compression="jpeg")
    with pytest.raises(InvalidContent):
        await imaging.decode(whole.replace(b"\xff\xd8", b"\0\0"))
    assert (await imaging.decode(PLAIN)).width == 120
    assert capfd.readouterr() == ("", "")


async def test_decoder_processes_load_no_large_library_and_no_use_case() -> None:
    program = (
        "import sys, infra.pillow.decoder_process;"
        "print({'torch', 'scipy', 'pydantic', 'domain.use_cases'} & {*sys.modules})"
    )
    python = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await python.communicate()
    assert printed == b"set()\n"


@pytest.mark.parametrize("python", ["/bin/false", "/bin/no-such-program"])
async def test_opening_the_pool_fails_if_its_processes_do_not_start(
    monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(Misconfigured, match="end before they are ready"):
        async with DecoderPool(3, LIMITS):
            pass


async def test_a_process_that_cannot_be_replaced_is_no_refusal_of_the_picture(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in decoder_processes_of(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(Overloaded, match="could not finish"):
            await imaging.decode(PLAIN)
    assert (await imaging.decode(PLAIN)).width == 120


async def test_a_waiter_cancelled_after_it_got_a_process_passes_it_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {"max_pixels": 10_000, "max_frames": 1, "default_zone": "", "with_descriptions": True}
    task = {"name": "decode_pixels", "encoder_side": 16, "takes_centre_crop": False} | options
    async with DecoderPool(1, LIMITS) as pool:
        release = pool._release  # noqa: SLF001 - the race cannot be timed from outside

        def release_and_cancel(slot: Any, priority: Priority) -> None:  # noqa: ANN401 - a private class
            release(slot, priority)
            second.cancel()

        first, second, third = (
            asyncio.create_task(pool.run(task, PLAIN, priority=Priority.EXAMPLE)) for _ in range(3)
        )
        monkeypatch.setattr(pool, "_release", release_and_cancel)
        assert await first == await third
        assert second.cancelled()


async def test_a_response_beyond_the_maximum_length_is_not_read(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("infra.pillow.decoder_pool.MAX_BODY_BYTES", 100)
        with pytest.raises(InvalidContent, match="damaged"):
            await imaging.decode(PLAIN)
    assert (await imaging.decode(PLAIN)).width == 120


async def test_a_decoder_process_is_replaced_after_its_maximum_of_tasks(
    imaging: PillowImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.pillow.decoder_pool._MAX_TASKS_PER_PROCESS", 2)
    before = set(decoder_processes_of(os.getpid()))
    for _ in range(6):
        assert (await imaging.decode(PLAIN)).width == 120
    assert before != set(decoder_processes_of(os.getpid()))


@pytest.mark.skipif(not GPS.is_dir(), reason="the photos in ../shared/data are missing")
async def test_exif_survives_the_transfer_from_a_decoder_process(imaging: PillowImaging) -> None:
    picture = await imaging.decode((GPS / "DSCN0042.jpg").read_bytes())
    assert picture.exif
    assert picture.exif.camera_model == "COOLPIX P6000"
    assert picture.exif.location
    assert picture.exif.location.latitude == pytest.approx(43.464455)
    assert (picture.width, picture.height) == (640, 480)


async def test_twenty_concurrent_pictures_are_decoded(imaging: PillowImaging) -> None:
    sizes = [(40 + n, 30) for n in range(20)]
    files = [encoded(flag(size), "JPEG") for size in sizes]
    outcomes = await asyncio.gather(
        *(imaging.decode(data) for data in files), imaging.decode(b"x"), return_exceptions=True
    )
    refused = outcomes.pop()
    assert isinstance(refused, Refusal)
    assert sizes == [(p.width, p.height) for p in outcomes if not isinstance(p, BaseException)]
