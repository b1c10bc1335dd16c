"""Postcards from processes beside: the same files, one process each at a time, none left over."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys

import pytest

from postcards.press import LENGTH, Press, jpeg
from tests.e2e.process import ROOT

SEEDS = (3, 1, 4, 1)


async def test_a_press_prints_what_the_seed_says() -> None:
    async with Press.open(2) as press:
        files = await asyncio.gather(*(press.postcard(seed) for seed in SEEDS))
    assert [hashlib.sha256(jpeg(seed)).digest() for seed in SEEDS] == [
        hashlib.sha256(file).digest() for file in files
    ]


async def test_a_closed_press_prints_no_more() -> None:
    async with Press.open(1) as press:
        assert await press.postcard(2)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await press.postcard(1)


def test_a_press_ends_when_nobody_is_left_to_ask_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postcards.press"],
        input=b"2\n",
        capture_output=True,
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    length, file = done.stdout[:LENGTH], done.stdout[LENGTH:]
    assert len(file) == int.from_bytes(length)
    assert file == jpeg(2)
