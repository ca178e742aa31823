from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from nodegraph import NodeError
from nodegraph.outbox import write


def test_numbers_go_on_and_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cat_00007.png").write_bytes(b"old")
    (tmp_path / "cat_big_00009.png").write_bytes(b"other")
    assert write(tmp_path, "cat", ".png", b"new").name == "cat_00008.png"
    assert (tmp_path / "cat_00007.png").read_bytes() == b"old"
    assert write(tmp_path / "deeper" / "still", "cat", ".png", b"x").read_bytes() == b"x"


def test_many_at_once_each_get_a_name(tmp_path: Path) -> None:
    threads = [threading.Thread(target=write, args=(tmp_path, "p", ".bin", bytes([i]))) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(p.read_bytes()[0] for p in tmp_path.iterdir()) == list(range(20))


@pytest.mark.parametrize("stem", ["../up", "a/b", "", ".hidden", "x" * 300, "a\0b"])
def test_a_name_is_a_name(tmp_path: Path, stem: str) -> None:
    with pytest.raises(NodeError, match="file name"):
        write(tmp_path, stem, ".png", b"")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError, match=r"could not write to .*free space or choose another folder"):
        write(tmp_path / "file", "p", ".png", b"")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(NodeError, match="No space left on device"):
        write(tmp_path, "p", ".png", b"data")
    assert not list(tmp_path.iterdir())
