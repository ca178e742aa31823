"""How the command line speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ..problems import Problem


def errors() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def out() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def fail(message: str, status: int = 1) -> int:
    """Say what went wrong, line by line. Returns the exit status."""
    for line in message.splitlines():
        if sys.stderr.isatty():
            from rich.markup import escape

            errors().print(f"[bold red]error:[/] {escape(line)}")
        else:
            print(f"error: {line}", file=sys.stderr)
    return status


def fail_problems(problems: Iterable[Problem]) -> int:
    """Say every problem with its code. Returns the exit status."""
    return fail("\n".join(f"{p} [{p.code}]" for p in problems))


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns; tab-separated where nobody looks."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.markup import escape
    from rich.table import Table

    made = Table(*headers, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*map(escape, row))
    out().print(made)


def size(count: int) -> str:
    """Bytes for people: 3.4 GB."""
    amount, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
