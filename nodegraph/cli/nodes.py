"""`nodegraph nodes`: the node types that are installed, and their reference."""

from __future__ import annotations

import argparse
import difflib
import json
from typing import Any

from ..reference import markdown, one
from .console import fail, table
from .setup import common, registry


def add_to(commands: Any) -> None:
    parser = commands.add_parser("nodes", help="list the installed nodes, or describe one")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a node's type id")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print schemas as JSON")
    how.add_argument("--markdown", action="store_true", help="print the reference as Markdown")
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    known = registry(options)
    if options.name:
        found = known.get(options.name)
        if found is None:
            near = difflib.get_close_matches(options.name.lower(), [n.lower() for n in known], n=3, cutoff=0.3)
            listed = ", ".join(n for n in known if n.lower() in near)
            return fail(f"no node {options.name!r} is installed{f'; near it: {listed}' if listed else ''}")
        text = json.dumps({options.name: found.schema()}, indent=1) if options.json else one(options.name, found)
        print(text)
    elif options.json:
        print(json.dumps({type_id: node.schema() for type_id, node in known.items()}, indent=1))
    elif options.markdown:
        print(markdown(known), end="")
    else:
        found_nodes = sorted(known.items(), key=lambda item: (item[1].category, item[0]))
        rows = [(type_id, node.category, node.doc.partition("\n")[0]) for type_id, node in found_nodes]
        table(("node", "category", "what it does"), rows)
    return 0
