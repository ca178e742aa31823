from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from harness import Bench

# The suite tries the same examples each time; `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For the models that the tests of a module share. It goes with them: together they would be gigabytes."""
    made = tmp_path_factory.mktemp("module")
    yield made
    shutil.rmtree(made)


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
