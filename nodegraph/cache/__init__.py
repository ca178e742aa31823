"""Where outputs are kept: in memory by bytes, and on disk for what was worth computing."""

from __future__ import annotations

from .disk import Disk
from .memory import Memory

__all__ = ["Disk", "Memory"]
