"""`nodegraph models`: what `LoadModel` can see, and where it looks."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..context import Folders
from .console import table
from .setup import common, folders_of, model_folders, registry


def add_to(commands: Any) -> None:
    parser = commands.add_parser("models", help="list the models that LoadModel can see and where it looks")
    parser.add_argument("--json", action="store_true", help="print JSON")
    folders_of(parser)
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    folders = model_folders(options)
    found = registry(options).choices("models", Folders(models=folders))
    if options.json:
        print(json.dumps({"folders": [str(f) for f in folders], "models": found}, indent=1))
        return 0
    table(("source", "what it is"), list(found.items()))
    for folder in folders:
        print(f"looked in {folder}{'' if folder.is_dir() else ' (not there)'}")
    return 0
