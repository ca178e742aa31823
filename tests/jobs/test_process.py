"""How workers are started, and what they are told about the machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nodegraph.jobs.process import ALLOCATOR, devices, environment


def test_devices_are_those_that_the_environment_allows() -> None:
    assert devices({"CUDA_VISIBLE_DEVICES": "2,0"}) == ["cuda:2", "cuda:0"]
    assert devices({"CUDA_VISIBLE_DEVICES": ""}) == ["cpu"]
    assert devices({"CUDA_VISIBLE_DEVICES": "-1"}) == ["cpu"]


def test_a_worker_sees_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert environment("cuda:1", 2)["CUDA_VISIBLE_DEVICES"] == "1"


def test_workers_share_the_cores_and_have_their_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    made = environment("cpu", 2)
    assert int(made["OMP_NUM_THREADS"]) == max(1, (os.cpu_count() or 1) // 2)
    assert "OMP_NUM_THREADS" not in environment("cpu", 1)
    assert made["MALLOC_MMAP_THRESHOLD_"] == ALLOCATOR["MALLOC_MMAP_THRESHOLD_"]
    assert made["MALLOC_ARENA_MAX"] == "3"  # what somebody set stays


@pytest.mark.parametrize("module", ["nodegraph.server.serving", "nodegraph.jobs.worker"])
def test_neither_server_nor_an_idle_worker_loads_torch(module: str) -> None:
    code = f"import sys, {module}; from nodegraph import Registry; Registry.installed(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_worker_whose_server_is_gone_ends() -> None:
    command = [sys.executable, "-m", "nodegraph.jobs.worker"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0
