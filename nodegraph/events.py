"""Everything a run says. The command line prints these, a server forwards them, tests collect them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """A node began to compute."""

    node: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A step inside a node. `preview()` makes a small picture, where there is one."""

    node: str
    step: int
    total: int
    what: str = ""
    preview: Callable[[], Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Cached:
    """A node's outputs were found and not computed. `tier` is "memory" or "disk"."""

    node: str
    tier: str = field(default="memory", compare=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """A node computed its outputs in `seconds`."""

    node: str
    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class Saved:
    """A node wrote a file."""

    node: str
    path: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that does not stop the run."""

    node: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A node raised. What depends on it is skipped; the rest goes on."""

    node: str
    port: str | None
    error: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A node did not run because `because` failed or the run was cancelled."""

    node: str
    because: str


Event = Started | Progress | Cached | Finished | Saved | Warned | Failed | Skipped
