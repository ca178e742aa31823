"""Durable jobs: a queue in SQLite, worker processes that host an engine each, and what they made.

The store is written by one process, and by one thread of it. Whatever it acknowledged survives a `kill -9`; a job that
was interrupted runs again, and finds what its nodes had computed in the cache on disk.
"""

from __future__ import annotations

from .dispatcher import Dispatcher
from .job import Job, NodeState, Result, State
from .places import Settings
from .store import Store

__all__ = ["Dispatcher", "Job", "NodeState", "Result", "Settings", "State", "Store"]
