"""Python's garbage collector, kept still where much is allocated and nothing of it is garbage yet."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 100_000
"""Objects after which a process of ours looks for garbage. After Python's 700 it would look during every document."""


def collect_rarely() -> None:
    """For a process that is ours: what is loaded now stays, and the search for garbage begins behind it, and rarely."""
    gc.freeze()
    gc.set_threshold(RARELY)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cyclic garbage inside: it would go through all that is being made, and free none of it.

    A document of 20,000 nodes is a few hundred thousand objects, and two searches took a third of its compilation.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
