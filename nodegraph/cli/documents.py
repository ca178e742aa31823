"""`nodegraph schema` and `nodegraph upgrade`: about documents themselves."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from ..carrier import PICTURES
from ..migrate import load_workflow
from ..problems import InvalidWorkflow
from ..workflow import Workflow
from .console import fail_problems
from .setup import common, registry


def add_to(commands: Any) -> None:
    schema = commands.add_parser("schema", help="print the JSON Schema of the document format")
    common(schema)
    schema.set_defaults(run=print_schema)
    parser = commands.add_parser("upgrade", help="rewrite a workflow in today's format with today's nodes")
    parser.add_argument("file", metavar="FILE", help="a workflow, or a picture that carries one")
    parser.add_argument("--out", metavar="FILE", help="write here instead of over FILE; - prints it")
    common(parser)
    parser.set_defaults(run=upgrade)


def print_schema(options: argparse.Namespace) -> int:
    schema = Workflow.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    print(json.dumps(schema, indent=1))
    return 0


def upgrade(options: argparse.Namespace) -> int:
    source = Path(options.file)
    try:
        workflow = load_workflow(source, registry(options))
    except InvalidWorkflow as error:
        return fail_problems(error.problems)
    text = workflow.to_json()
    if options.out == "-":
        print(text, end="")
        return 0
    target = Path(options.out) if options.out else source
    if target.suffix.lower() in PICTURES:
        raise ValueError(f"{str(target)!r} is a picture; say where the document goes with --out FILE.json")
    if target == source and json.loads(source.read_text(encoding="utf-8")) == json.loads(text):
        print(f"{target}: is up to date")
        return 0
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{target}: written in format {workflow.format}")
    return 0
