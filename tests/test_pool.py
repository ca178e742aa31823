from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import pytest

from nodegraph import Report
from nodegraph.pool import OutOfSpace, Pool

dropped: list[str] = []


@dataclass(frozen=True)
class Thing:
    key: str
    size: int
    place: str = "cpu"
    slow: float = 0.0

    @property
    def name(self) -> str:
        return self.key

    def capacity(self) -> int:
        return 10

    def load(self, report: Report) -> list[str]:
        time.sleep(self.slow)
        report(self.size, self.size)
        return [self.key]

    def drop(self, value: list[str]) -> None:
        dropped.append(self.key)


def test_evicts_the_least_recently_used_but_never_what_is_leased() -> None:
    dropped.clear()
    pool = Pool()
    with pool.lease(Thing("unet", 6)):
        with pool.lease(Thing("clip", 4)):
            pass
        with pool.lease(Thing("vae", 3)):
            assert dropped == ["clip"]
        with pytest.raises(OutOfSpace, match=r"t5 needs 9 bytes of cpu, .*in use: unet"), pool.lease(Thing("t5", 9)):
            pass
    with pool.lease(Thing("t5", 9)):
        assert dropped == ["clip", "vae", "unet"]
    assert pool.used("cpu") == 9
    assert pool.drop_unleased() == ["t5"]


def test_places_do_not_share_room() -> None:
    pool = Pool({"cuda:0": 5})
    with pool.lease(Thing("a", 10)), pool.lease(Thing("b", 5, "cuda:0")):
        assert (pool.used("cpu"), pool.used("cuda:0")) == (10, 5)


def test_loads_once_for_many_and_others_need_not_wait() -> None:
    pool, seen, began = Pool(), [], time.perf_counter()

    def use(thing: Thing) -> None:
        with pool.lease(thing) as value:
            seen.append((thing.key, id(value), time.perf_counter() - began))

    slow, quick = Thing("slow", 2, slow=0.3), Thing("quick", 2)
    threads = [threading.Thread(target=use, args=(t,)) for t in (slow, slow, quick)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert seen[0][0] == "quick"
    assert seen[0][2] < 0.25
    assert seen[1][1] == seen[2][1]


def test_a_load_that_fails_leaves_nothing_behind() -> None:
    class Broken(Thing):
        def load(self, report: Report) -> list[str]:
            raise OSError("gone")

    pool = Pool()
    with pytest.raises(OSError, match="gone"), pool.lease(Broken("x", 10)):
        pass
    with pool.lease(Thing("x", 10)) as value:
        assert value == ["x"]
