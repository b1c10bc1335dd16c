"""Files on their way in."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.concurrency import AdmissionLimit
from domain.entities.uploads import MAX_FILENAME, sha256_of
from domain.errors import InvalidContent, Overloaded, TooLarge
from tests.fakes.files import upload


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("sea.png", "sea.png"),
        ("/etc/passwd", "passwd"),
        ("..\\windows\\win.ini", "win.ini"),
        (" sea\0\n.png ", "sea.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),
        ("sea\u202egnp.exe", "seagnp.exe"),
        ("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png"),
        ("", "unnamed"),
        ("folder/", "unnamed"),
        ("\ud800", "unnamed"),
        (" \t\n", "unnamed"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
    ],
)
def test_a_name_is_what_people_can_see_of_it(filename: str, name: str) -> None:
    assert name == upload(b"", filename).name


@given(st.text(max_size=300))
def test_every_name_can_be_kept(filename: str) -> None:
    name = upload(b"", filename).name
    assert name.encode()
    assert not {"/", "\\", "\0"} & set(name)
    assert len(name) <= MAX_FILENAME


async def test_a_file_of_the_largest_size_is_read() -> None:
    assert await upload(b"12345").bytes_within(5) == b"12345"


async def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge) as refusal:
        await upload(b"", "sea.png", size=1_000_001).bytes_within(1_000_000)
    assert refusal.value.message == (
        "“sea.png” has 1,000,001 bytes; at most 1,000,000 are accepted. Send a smaller version."
    )


async def test_a_file_that_is_larger_than_it_claims_is_refused_too() -> None:
    with pytest.raises(TooLarge) as refusal:
        await upload(b"123456", "sea.png", size=1).bytes_within(5)
    assert refusal.value.message == (
        "“sea.png” has 6 bytes; at most 5 are accepted. Send a smaller version."
    )


async def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InvalidContent) as refusal:
        await upload(b"", "sea.png").bytes_within(5)
    assert refusal.value.message == "“sea.png” is empty. Check that it was read to the end."


async def test_a_fingerprint_is_the_sha_256_of_the_bytes() -> None:
    assert hashlib.sha256(b"sea").hexdigest() == await sha256_of(b"sea")


async def test_those_that_find_no_room_to_wait_are_refused_and_the_others_served() -> None:
    room = AdmissionLimit(1, max_waiting=2)
    done: list[int] = []

    async def visit(number: int) -> None:
        async with room:
            await asyncio.sleep(0)
            done.append(number)

    outcomes = await asyncio.gather(*(visit(n) for n in range(5)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    assert ["Too many pictures are waiting; send this one again in a minute."] * len(refused) == [
        refusal.message for refusal in refused
    ]
    assert len(refused) + len(done) == 5
    assert 2 <= len(done) <= 3
    async with room:
        done.append(5)


async def test_who_gives_up_waiting_makes_room() -> None:
    room = AdmissionLimit(1, max_waiting=1)
    async with room:
        waiting = asyncio.create_task(room.__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await room.__aenter__()
        waiting.cancel()
        await asyncio.wait([waiting])
        waiting = asyncio.create_task(room.__aenter__())
        await asyncio.sleep(0)
    await waiting
