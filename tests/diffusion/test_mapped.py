from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from nodegraph_diffusion.diffusion.mapped import in_cache, read_ahead

SIZE = 32 * 2**20


def mapped_bytes() -> int:
    """Bytes of files that count as this process's resident memory."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssFile"].split()[0]) * 1024


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="asks Linux what it holds in its cache")
def test_the_disk_is_read_and_no_memory_taken(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(SIZE // 4)}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with safe_open(path, framework="pt") as opened:
        tensor = opened.get_tensor("a")
    assert not in_cache(path)
    before = mapped_bytes()
    read_ahead(tensor[1:])
    deadline = time.monotonic() + 20
    while not in_cache(path):
        assert time.monotonic() < deadline, "the file was not read"
        time.sleep(0.01)
    assert mapped_bytes() - before < SIZE // 8
    assert tensor.sum() == 0


def test_a_file_that_is_not_there_is_in_no_cache(tmp_path: Path) -> None:
    assert not in_cache(tmp_path / "nothing")


def test_memory_that_is_no_file_is_left_alone() -> None:
    tensor = torch.arange(1000)
    read_ahead(tensor)
    read_ahead(tensor[:0])
    assert tensor[-1] == 999
