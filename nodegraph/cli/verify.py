"""`nodegraph verify` and `nodegraph replay`: make a picture again, to compare it or to vary it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from ..context import Folders
from ..executor import RunFailed
from ..problems import InvalidWorkflow
from ..verify import Verdict, read_receipt, verify
from . import run as run_command
from .console import fail, fail_problems
from .setup import common, folders_of, model_folders, registry


def add_to(commands: Any) -> None:
    parser = commands.add_parser("verify", help="make a saved picture again and say whether it is the same")
    parser.add_argument("file", metavar="PICTURE", help="a picture that was saved by a workflow")
    parser.add_argument("--json", action="store_true", help="print JSON")
    folders_of(parser)
    common(parser)
    parser.set_defaults(run=run)
    again = commands.add_parser("replay", help="make a saved picture again with other inputs")
    run_command.arguments(again)
    again.set_defaults(run=replay)


def replay(options: argparse.Namespace) -> int:
    try:
        options.targets = options.targets or read_receipt(Path(options.file))["node"]
    except InvalidWorkflow as error:
        return fail_problems(error.problems)
    return run_command.run(options)


def run(options: argparse.Namespace) -> int:
    path = Path(options.file)
    folders = Folders(models=model_folders(options))
    try:
        verdict = verify(path, registry(options), folders)
    except InvalidWorkflow as error:
        return fail_problems(error.problems)
    except RunFailed as error:
        return fail(str(error))
    if options.json:
        told = dataclasses.asdict(verdict) | {"identical": verdict.identical}
        told["decibels"] = None if math.isinf(verdict.decibels) else verdict.decibels
        print(json.dumps(told))
    else:
        print("\n".join(_told(path, verdict)))
    return 0 if verdict.identical else 1


def _told(path: Path, verdict: Verdict) -> list[str]:
    """The verdict in words."""
    if verdict.identical:
        return [f"{path}: identical, every pixel and {verdict.compared} outputs of nodes"]
    if math.isinf(verdict.decibels):
        lines = [f"{path}: {'the same pixels' if verdict.decibels > 0 else 'differs: another size'}"]
    else:
        lines = [f"{path}: differs, PSNR {verdict.decibels:.1f} dB"]
    if verdict.node is None:
        lines.append(
            f"  all {verdict.compared} outputs of nodes are the same: the picture was changed after it was saved"
        )
    else:
        where = f"{verdict.node}{f'.{verdict.port}' if verdict.port else ''}"
        lines.append(f"  the runs first differ at {where} ({verdict.type})")
        lines.extend(f"    its input {change}" for change in verdict.inputs)
    lines.extend(f"  another file: {name}" for name in verdict.files)
    lines.extend(f"  another version: {change}" for change in verdict.versions)
    return lines
