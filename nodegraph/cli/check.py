"""`nodegraph check`: everything that is wrong with a document, and what a run would do. Runs nothing."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from ..pack import Registry
from ..plan import Plan
from ..ports import exposed, value
from ..problems import InvalidWorkflow
from ..workflow import Workflow
from .console import fail_problems, size, table
from .setup import assignments, common, document, engine, folders_of


def add_to(commands: Any) -> None:
    parser = commands.add_parser("check", help="say everything that is wrong with a workflow; run nothing")
    parser.add_argument("file", metavar="FILE", help="a workflow, or a picture that carries one")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given",
                        help="an exposed input or node.input; repeat for more")  # fmt: skip
    parser.add_argument("--plan", action="store_true", help="say what would run, what is cached, and why")
    parser.add_argument("--json", action="store_true", help="print JSON")
    folders_of(parser)
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with engine(options) as made:
        try:
            workflow = document(options.file, made.registry, made.folders)
            given = assignments(workflow, made.registry, options.given)
            checked = made.compile(workflow, given)
            problems = list(checked.problems)
        except InvalidWorkflow as error:
            problems = error.problems
        if problems:
            if options.json:
                print(json.dumps({"problems": [p.to_dict() for p in problems]}, indent=1))
                return 1
            return fail_problems(problems)
        if options.json:
            plan = [asdict(p) for p in made.plan(workflow, given)] if options.plan else None
            known = {port: dict(facts) for port, facts in checked.facts.items()}
            print(json.dumps({"problems": [], "facts": known, **({"plan": plan} if options.plan else {})}, indent=1))
        elif options.plan:
            rows = [(p.node, p.type, p.state, p.why, *(size(n) if n else "" for n in (p.weights, p.activations)))
                    for p in made.plan(workflow, given)]  # fmt: skip
            table(("node", "type", "state", "why", "weights", "activations"), rows)
        else:
            _describe(made.registry, workflow, checked, options.file)
    return 0


def _describe(registry: Registry, workflow: Workflow, checked: Plan, file: str) -> None:
    print(f"{file}: no problems, {len(workflow.nodes)} nodes")
    if workflow.inputs:
        known = exposed(workflow, registry)
        rows = [(f"--set {n}=", str(known[n].type) if n in known else "?", json.dumps(value(workflow, n)), i.title)
                for n, i in workflow.inputs.items()]  # fmt: skip
        table(("input", "type", "now", "title"), rows)
    if known_facts := checked.facts:
        table(("output", "what is known of it"), [(port, str(facts)) for port, facts in known_facts.items()])
