"""From options and environment to an engine: the folders, the packs and the caches."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..context import Folders
from ..engine import Engine
from ..migrate import load_workflow
from ..pack import Pack, Registry
from ..ports import given_file
from ..problems import InvalidWorkflow, Problem
from ..workflow import Workflow

CACHE = "NODEGRAPH_CACHE"
MODELS = "NODEGRAPH_MODELS"


def common(parser: argparse.ArgumentParser) -> None:
    """The options that every command takes."""
    parser.add_argument("--pack", action="append", default=[], metavar="FILE", help="also use the nodes in a .py file")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def folders_of(parser: argparse.ArgumentParser) -> None:
    """The options about where things are."""
    parser.add_argument("--models", action="append", default=[], metavar="DIR",
                        help=f"look for models here first (or set {MODELS})")  # fmt: skip
    parser.add_argument("--cache", metavar="DIR", help=f"keep results here (or set {CACHE})")
    parser.add_argument("--no-cache", action="store_true", help="keep results in memory alone")


def registry(options: argparse.Namespace) -> Registry:
    return Registry.installed(Pack.from_file(Path(file)) for file in options.pack)


def model_folders(options: argparse.Namespace) -> tuple[Path, ...]:
    """Where models are looked for: options, environment, `./models`, the user's data folder."""
    import platformdirs

    listed = [*options.models, *filter(None, os.environ.get(MODELS, "").split(os.pathsep))]
    user = platformdirs.user_data_path("nodegraph", appauthor=False) / "models"
    return tuple(dict.fromkeys(Path(p).expanduser().absolute() for p in [*listed, "models", user]))


def cache_folder(options: argparse.Namespace) -> Path | None:
    import platformdirs

    if options.no_cache:
        return None
    named = options.cache or os.environ.get(CACHE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("nodegraph", appauthor=False) / "results"


def engine(options: argparse.Namespace) -> Engine:
    base = Path(options.file).parent
    output = Path(getattr(options, "out", "output"))
    folders = Folders(base=base.absolute(), output=output.absolute(), models=model_folders(options))
    return Engine(registry(options), folders=folders, cache=cache_folder(options))


def assignments(workflow: Workflow, known: Registry, items: list[str]) -> dict[str, Any]:
    """`name=value` options as inputs. A file is relative to the working directory, as on any command line.

    Raises:
        ValueError: An item has no `=`.
    """
    given: dict[str, Any] = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign:
            raise ValueError(f"--set {item!r}: needs name=value; quote it if the value has spaces")
        given[name] = os.path.abspath(value) if given_file(workflow, known, name) else value
    return given


def document(file: str, known: Registry, folders: Folders) -> Workflow:
    """The document in a file of any kind that is understood; what is not in it as it was in the file is said.

    Raises:
        InvalidWorkflow: There is none that can be read.
    """
    from ..interop import open_document

    path = Path(file)
    if not path.is_file():
        return load_workflow(path, known)
    try:
        opened = open_document(path.read_bytes(), known, lambda name: known.choices(name, folders))
    except InvalidWorkflow as error:
        raise InvalidWorkflow(_in_file(problem, file) for problem in error.problems) from None
    for note in opened.notes:
        print(f"note: {note}", file=sys.stderr)
    return opened.workflow


def _in_file(problem: Problem, file: str) -> Problem:
    unread = problem.code == "unreadable_document"
    return replace(problem, message=f"{file!r} {problem.message}") if unread else problem
