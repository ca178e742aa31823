"""`nodegraph run`: run a document and print the files it wrote."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

from ..context import NodeError
from ..engine import Engine, Result
from ..events import Cached, Event, Failed, Finished, Progress, Saved, Skipped, Started, Warned
from ..executor import RunFailed
from ..problems import InvalidWorkflow
from ..workflow import Workflow
from . import sweep
from .console import errors, fail, fail_problems
from .setup import assignments, common, document, engine, folders_of


def add_to(commands: Any) -> None:
    parser = commands.add_parser("run", help="run a workflow and print the files it wrote")
    arguments(parser)
    parser.set_defaults(run=run)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What a command that runs a workflow takes."""
    parser.add_argument("file", metavar="FILE", help="a workflow, or a picture that carries one")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given",
                        help="an exposed input or node.input; repeat for more")  # fmt: skip
    parser.add_argument("--out", default="output", metavar="DIR", help="where files go (default: output)")
    parser.add_argument("--targets", metavar="A,B", help="nodes or outputs to compute; by default all that is saved")
    parser.add_argument("--sweep", action="append", default=[], metavar="NAME=VALUES",
                        help="run for several values (cfg=4,7,10 seed=0..3); repeat for more axes")  # fmt: skip
    parser.add_argument("--zip", action="store_true", help="the first values of all axes together, then the second ...")
    parser.add_argument("--json", action="store_true", help="print events as JSON lines")
    folders_of(parser)
    common(parser)


def run(options: argparse.Namespace) -> int:
    with engine(options) as made:
        try:
            workflow = document(options.file, made.registry, made.folders)
            given = assignments(workflow, made.registry, options.given)
            return (sweep.run if options.sweep else _run)(made, workflow, given, options)
        except InvalidWorkflow as error:
            if options.debug:
                raise
            if options.json:
                for problem in error.problems:
                    print(json.dumps({"event": "Problem", **problem.to_dict()}), flush=True)
                return 1
            return fail_problems(error.problems)


def _run(made: Engine, workflow: Workflow, given: dict[str, Any], options: argparse.Namespace) -> int:
    targets = [t for t in options.targets.split(",") if t] if options.targets else None
    if sys.stderr.isatty() and not options.json:
        return _with_bars(made, workflow, given, targets, options)
    show: Callable[[Event], None] = _print_json if options.json else _print_plain
    return _finish(lambda: made.run(workflow, inputs=given, targets=targets, on_event=show), options)


def _finish(action: Callable[[], Result], options: argparse.Namespace) -> int:
    try:
        made = action()
    except RunFailed as error:
        if options.debug:
            raise
        said = all(isinstance(raised, NodeError) for raised in error.errors.values())
        return 1 if options.json else fail(str(error) if said else f"{error} (--debug shows where)")
    plain = {name: value for name, value in made.items() if isinstance(value, str | int | float)}
    if options.json and plain:
        print(json.dumps({"event": "Outputs", "values": plain}), flush=True)
    for name, value in plain.items() if not options.json else ():
        print(f"{name}: {value}", file=sys.stderr)
    return 0


def _print_json(event: Event) -> None:
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event) if f.name != "preview"}
    print(json.dumps({"event": type(event).__name__, **fields}), flush=True)


def _print_plain(event: Event) -> None:
    if isinstance(event, Saved):
        print(event.path, flush=True)
    elif isinstance(event, Warned):
        print(f"warning: {event.node}: {event.message}", file=sys.stderr)


def _with_bars(
    made: Engine, workflow: Workflow, given: dict[str, Any], targets: list[str] | None, options: argparse.Namespace
) -> int:
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = errors()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    files: list[str] = []
    cached: list[str] = []
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[tuple[str, str], Any] = {}

        def show(event: Event) -> None:
            match event:
                case Progress(node, step, total, what):
                    # Bytes would read as "1719 of 3438 MB": a loading bar counts per cent.
                    done, whole = (step * 100 // max(total, 1), 100) if what.startswith("loading") else (step, total)
                    key = (node, what)
                    if key not in tasks:
                        tasks[key] = bars.add_task(escape(f"{node} {what}".strip()), total=whole)
                    bars.update(tasks[key], completed=done)
                    if done >= whole and what.startswith("loading"):
                        bars.remove_task(tasks.pop(key))
                case Finished(node, seconds):
                    for key in [k for k in tasks if k[0] == node]:
                        bars.remove_task(tasks.pop(key))
                    if seconds >= 0.1:
                        console.print(f"[green]✓[/] {escape(node)} [dim]{seconds:.1f} s[/]")
                case Cached(node):
                    cached.append(node)
                case Saved(_, path):
                    files.append(path)
                case Warned(node, message):
                    console.print(f"[yellow]![/] {escape(node)}: {escape(message)}")
                case Failed(node):
                    console.print(f"[red]✗[/] {escape(node)}")
                case Started() | Skipped():
                    pass

        status = _finish(lambda: made.run(workflow, inputs=given, targets=targets, on_event=show), options)
    if cached:
        console.print(f"[dim]{len(cached)} from the cache: {escape(', '.join(cached))}[/]")
    for path in files:
        print(path)
    return status
