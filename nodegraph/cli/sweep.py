"""`nodegraph run --sweep`: a workflow for many values, with a contact sheet and a page to browse."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..axes import Mode, points, read_axis, unknown
from ..engine import Cell, Engine
from ..sheet import Sheet, contact_sheet, page, picture_of
from ..workflow import Workflow
from .console import fail


def run(made: Engine, workflow: Workflow, given: dict[str, Any], options: argparse.Namespace) -> int:
    """Run every cell into a new folder of the output, and print the files."""
    mode: Mode = "zip" if options.zip else "product"
    try:
        axes = [read_axis(text, workflow, made.registry, Path()) for text in options.sweep]
        count = len(points(axes, mode))
    except ValueError as error:
        raise unknown(error) from error
    targets = [t for t in options.targets.split(",") if t] if options.targets else None
    folder = _new_folder(made.folders.output, Path(options.file).stem)
    cells: list[Cell] = []
    found = made.sweep(
        workflow, {axis.name: axis.values for axis in axes}, mode=mode, inputs=given, targets=targets,
        folders=replace(made.folders, output=folder),
    )  # fmt: skip
    for cell in found:
        shown = picture_of(cell)
        label = ", ".join(f"{name}={value}" for name, value in cell.inputs.items())
        if options.json:
            told = {"event": "Cell", "inputs": dict(cell.inputs), "error": cell.error}
            print(
                json.dumps(told | {"files": [str(f) for f in cell.result.files] if cell.result is not None else []}),
                flush=True,
            )
        elif shown is not None:
            print(shown, flush=True)
        print(f"{len(cells) + 1} of {count}: {label}{f': {cell.error}' if cell.error else ''}", file=sys.stderr)
        if cell.result is not None and shown is not None:
            cell = replace(cell, result=cell.result.without_values())
        cells.append(cell)
    sheet = Sheet(axes, options.zip)
    title = workflow.name or Path(options.file).stem
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (
        ("sheet.png", contact_sheet(sheet, cells, workflow.to_json())),
        ("index.html", page(sheet, cells, title, folder).encode()),
    ):
        (folder / name).write_bytes(data)
        print(json.dumps({"event": "Saved", "path": str(folder / name)}) if options.json else folder / name)
    failed = [cell for cell in cells if cell.error]
    return fail(f"{len(failed)} of {count} cells failed; the first: {failed[0].error}") if failed else 0


def _new_folder(output: Path, stem: str) -> Path:
    """`output/stem_sweep_00001`, or the next number that is free."""
    number = 1
    while (folder := output / f"{stem}_sweep_{number:05}").exists():
        number += 1
    return folder
