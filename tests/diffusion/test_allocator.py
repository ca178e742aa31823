from __future__ import annotations

import ctypes
import json
import platform
import subprocess
import sys
from typing import Any

import pytest

from nodegraph_diffusion.diffusion import allocator

GLIBC = platform.libc_ver()[0] == "glibc"
PROGRAM = """
import hashlib, json, resource, threading, torch
from nodegraph_diffusion.diffusion.allocator import release_memory, tune_allocator
took_effect = tune_allocator() if TUNE else False
x = torch.linspace(-1, 1, 1 << 23).reshape(1, 8, 1024, 1024)
def work():
    y = x
    for i in range(14):
        y = torch.sin(y * 1.5 + i)
        if i == 5:
            state["before"] = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    state["faults"] = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - state["before"]
    state["digest"] = hashlib.sha256(y.numpy().tobytes()).hexdigest()
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
state = {}
thread = threading.Thread(target=work)
thread.start(); thread.join()
kept = resident()
release_memory()
print(json.dumps({**state, "took_effect": took_effect, "given_back": kept - resident()}))
"""


def run(tune: bool) -> dict[str, Any]:
    """In a process of its own: the setting is for good."""
    done = subprocess.run(
        [sys.executable, "-c", f"TUNE = {tune}\n{PROGRAM}"], capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.skipif(not GLIBC, reason="needs glibc")
def test_memory_is_kept_results_stay_and_it_can_be_given_back() -> None:
    plain, tuned = run(False), run(True)
    assert tuned["took_effect"]
    assert tuned["digest"] == plain["digest"]
    # Eight operations of 32 MB, two results each: 8,192 pages a result where they are mapped anew.
    assert plain["faults"] > 50_000
    assert tuned["faults"] < plain["faults"] / 2  # some even so: some systems take idle pages away
    assert tuned["given_back"] > 32 << 20


GIVING = """
import json, os, resource, sys
from nodegraph_diffusion.diffusion.allocator import give_back_at_once, tune_allocator
tune_allocator()
import torch
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
def dropped(size):
    kept = torch.ones(size), torch.ones(1)  # the second keeps the heap from ending with the first
    before = resident()
    last = kept[1]
    del kept
    return before - resident()
at_first = dropped(1 << 24)
with give_back_at_once():
    within = dropped(1 << 25)
print(json.dumps({"at_first": at_first, "within": within, "after": dropped(1 << 24),
    "pages": os.environ["THP_MEM_ALLOC_ENABLE"]}))
"""


@pytest.mark.skipif(not GLIBC, reason="needs glibc")
def test_large_tensors_go_back_at_once_where_that_is_asked() -> None:
    done = subprocess.run([sys.executable, "-c", GIVING], capture_output=True, text=True, check=True)
    freed = json.loads(done.stdout)
    assert freed["within"] > 1 << 26  # of 1 << 27: the kernel counts roughly where there are many processors
    assert max(freed["at_first"], freed["after"]) < 1 << 24
    assert freed["pages"] == "1"


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: None) -> Any:
        raise TypeError("bad argument type for built-in operation")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert allocator.tune_allocator() is False
    allocator.release_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Musl:
        def mallopt(self, name: int, value: int) -> int:
            raise AssertionError("musl has no such function; what answers to the name is not glibc's")

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Musl())
    assert allocator.tune_allocator() is False
