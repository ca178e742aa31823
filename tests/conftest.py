from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An engine with the toy pack, in memory alone."""
    made = Bench(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def disk_bench(tmp_path: Path) -> Iterator[Bench]:
    """The same with a cache on disk."""
    made = Bench(tmp_path, cache=tmp_path / "cache")
    yield made
    made.engine.close()
