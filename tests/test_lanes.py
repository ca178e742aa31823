"""Lanes: calls that take time share them, trivial ones leave the other threads alone, and none is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from nodegraph.lanes import Lanes, Ticket

WIDTH = 4


@dataclass
class Call:
    work: Callable[[], Iterable[Ticket]]
    lane: str = "cpu"
    priority: tuple[int, int] = (0, 0)

    def __call__(self) -> Iterable[Ticket]:
        return self.work()


@pytest.fixture
def lanes() -> Iterable[Lanes]:
    made = Lanes({"cpu": WIDTH, "io": 2})
    yield made
    made.close()


def test_long_calls_run_together_up_to_the_lanes_width(lanes: Lanes) -> None:
    together = threading.Barrier(WIDTH)  # passed only once as many calls are in it
    left = threading.Semaphore(0)
    running = [0, 0]

    def work() -> Iterable[Ticket]:
        running[0] += 1
        running[1] = max(running)
        together.wait(timeout=20)
        running[0] -= 1
        left.release()
        return ()

    lanes.push([Call(work) for _ in range(2 * WIDTH)])
    assert all(left.acquire(timeout=20) for _ in range(2 * WIDTH))
    assert running[1] <= WIDTH


def test_trivial_calls_are_taken_by_one_thread(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodegraph.lanes.PATIENCE", 20)
    done = threading.Event()
    by: dict[str, int] = {}
    count = 2000

    def work() -> Iterable[Ticket]:
        name = threading.current_thread().name
        by[name] = by.get(name, 0) + 1
        if sum(by.values()) == count:
            done.set()
        return ()

    lanes.push([Call(work) for _ in range(count)])
    assert done.wait(timeout=20)
    assert len(by) == 1


def test_a_call_that_waits_for_another_does_not_hold_it_up(lanes: Lanes) -> None:
    first, second = threading.Event(), threading.Event()

    def wait() -> Iterable[Ticket]:
        assert second.wait(timeout=20)
        first.set()
        return ()

    def help_out() -> Iterable[Ticket]:
        second.set()
        return ()

    lanes.push([Call(wait)])
    time.sleep(0.05)  # it runs by now, and what comes later must find another thread
    lanes.push([Call(help_out)])
    assert first.wait(timeout=20)


def test_calls_that_follow_from_others_all_run(lanes: Lanes) -> None:
    lock, done = threading.Lock(), threading.Event()
    counted = [0]
    depth = 11

    def work(level: int, lane: str) -> Callable[[], Iterable[Ticket]]:
        def run() -> Iterable[Ticket]:
            with lock:
                counted[0] += 1
                if counted[0] == 4 * (2**depth - 1):
                    done.set()
            if level % 5 == 4:
                time.sleep(0.0003)
            other = "io" if lane == "cpu" else "cpu"
            return [Call(work(level + 1, to), to) for to in (lane, other)] if level + 1 < depth else ()

        return run

    for _ in range(4):
        threading.Thread(target=lanes.push, args=([Call(work(0, "cpu"))],)).start()
    assert done.wait(timeout=60), f"{counted[0]} ran"
