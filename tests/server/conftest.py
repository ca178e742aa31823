from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One server for all tests that leave it alive."""
    made = Service(tmp_path_factory.mktemp("service") / "data")
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="session")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that begins no job, so that it only ever checks."""
    made = Service(tmp_path_factory.mktemp("paused") / "data")
    assert made.post("/api/queue/pause").status == 200
    yield made
    assert made.stop() == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts servers of one's own."""
    made: list[Service] = []
    count = itertools.count()

    def begin(*options: str) -> Service:
        made.append(Service(tmp_path / f"data{next(count)}", *options))
        return made[-1]

    yield begin
    for server in made:
        if server.process.poll() is None:
            server.stop()
