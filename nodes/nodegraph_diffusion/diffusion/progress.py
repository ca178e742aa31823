"""Saying how far a long piece of work has come."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[int, int], None]
"""`report(done, total)`. What it raises ends the work."""


def silent(done: int, total: int) -> None:
    """Report to nobody."""


def share(report: Report, index: int, count: int) -> Report:
    """Reports of one of `count` equal pieces, as reports of the whole."""
    return lambda done, total: report(index * total + done, count * total)
