"""`nodegraph convert`: other programs' files to our document, and our document to ComfyUI's API format."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..carrier import PICTURES
from ..context import Folders
from ..problems import InvalidWorkflow
from .console import fail, fail_problems
from .setup import common, document, folders_of, model_folders, registry

API = "comfyui"


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "convert", help="turn a ComfyUI or A1111 file into a workflow, or a workflow into ComfyUI's API format"
    )
    parser.add_argument(
        "file", metavar="IN", help="ComfyUI's JSON, A1111's lines, a picture that carries them, or a workflow"
    )
    parser.add_argument("out", metavar="OUT", help="the file to write; - prints it")
    parser.add_argument("--to", choices=("nodegraph", API), default="nodegraph",
                        help="what to write: our document (the default), or ComfyUI's API format")  # fmt: skip
    folders_of(parser)
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..interop.outward import export

    known = registry(options)
    target = Path(options.out)
    if target.suffix.lower() in PICTURES:
        raise ValueError(f"{options.out!r} is a picture; say where the document goes as FILE.json")
    try:
        workflow = document(options.file, known, Folders(models=model_folders(options)))
    except InvalidWorkflow as error:
        return fail_problems(error.problems)
    if options.to == API:
        made = export(workflow, known)
        for note in made.notes:
            print(f"note: {note}", file=sys.stderr)
        if not made.whole:
            return fail("some nodes have no counterpart in ComfyUI, so nothing is written; see the notes")
        text = json.dumps(made.prompt, indent=2, ensure_ascii=False) + "\n"
    else:
        text = workflow.to_json()
    if options.out == "-":
        print(text, end="")
    else:
        target.write_text(text, encoding="utf-8")
    return 0
