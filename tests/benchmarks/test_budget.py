from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.budget import FULL, QUICK, Budget


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def started(clock: Clock, *, rounds: int = 3, seconds: float = 100) -> Budget:
    budget = replace(QUICK, rounds=rounds, seconds=seconds, clock=clock, started=[])
    budget.start()
    return budget


def rounds_of(budget: Budget, clock: Clock, *, each: float, share: float) -> list[int]:
    done = []
    for number in budget.each_round(share):
        done.append(number)
        clock.now += each
    return done


def test_all_rounds_are_measured_where_there_is_time() -> None:
    clock = Clock()
    assert [0, 1, 2] == rounds_of(started(clock), clock, each=10, share=0.3)


def test_no_round_is_begun_that_would_end_too_late() -> None:
    clock = Clock()
    assert [0, 1] == rounds_of(started(clock), clock, each=10, share=0.29)


def test_one_round_is_always_measured() -> None:
    clock = Clock()
    assert [0] == rounds_of(started(clock), clock, each=1_000, share=0.1)


def test_the_time_that_is_left_counts_from_the_start() -> None:
    clock = Clock(500)
    budget = started(clock, seconds=100)
    clock.now += 70
    assert 30 == budget.left


def test_the_full_run_takes_ten_minutes_and_the_quick_one_two() -> None:
    assert (600, 120) == (FULL.seconds, QUICK.seconds)
    assert 25_000 == FULL.library_size
