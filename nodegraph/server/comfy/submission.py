"""`POST /prompt`: from a prompt to a job, or to errors in the shape that clients show."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ...interop import Opened, open_raw
from ...interop.prompt import is_prompt, read_prompt
from ...interop.table import ENTRIES, SHOWN, paths
from ...jobs.documents import Queueable
from ...jobs.queue import Submission
from ...problems import InvalidWorkflow, Problem
from ...workflow import Workflow
from ..queueing import check_room
from ..site import Site
from . import records
from .files import upload_of
from .wire import body, failure, strings, wire

SAVES = {
    "SaveImage": "output", "SaveAnimatedWEBP": "output", "SaveAnimatedPNG": "output", "SaveImageWebsocket": "temp",
    "PreviewImage": "temp", "MaskPreview": "temp",
}  # fmt: skip
"""Classes that give pictures, and the kind of folder their files are said to lie in."""
LOADS = ("LoadImage", "LoadImageMask")
TYPES = {
    "missing_input": "required_input_missing", "dangling_link": "bad_linked_input",
    "type_mismatch": "return_type_mismatch", "not_a_literal": "invalid_input_type",
    "missing_file": "custom_validation_failed", "unusable": "value_not_in_list",
    "unknown_choice": "value_not_in_list",
}  # fmt: skip
"""ComfyUI's names for kinds of problems."""


@wire("POST", "/prompt", "run")
async def submit(site: Site, request: web.Request) -> web.Response:
    """Queue a prompt in API format."""
    asked = await body(request)
    raw = asked.get("prompt")
    if raw == {}:
        return failure(400, "prompt_no_outputs", "Prompt has no outputs")
    if not isinstance(raw, dict):
        return failure(400, "no_prompt", "No prompt provided", "needs an object of nodes in the field 'prompt'")
    if not is_prompt(raw):
        return failure(400, "invalid_prompt", "Cannot execute because a node is missing the class_type property.")
    id = asked.get("prompt_id")
    id = id if isinstance(id, str) and 0 < len(id) <= 100 else str(uuid.uuid4())
    try:
        saving, missing = await _saving(site, raw)
        wanted = list(strings(asked.get("partial_execution_targets")))
        made = await asyncio.to_thread(_prepared, site, raw, saving, missing, wanted)
    except InvalidWorkflow as error:
        return failure(400, "invalid_prompt", "Cannot execute this prompt.", str(error.problems[0]))
    if isinstance(made, web.Response):
        return made
    name, queued, targets, origin, errors = made
    client = asked.get("client_id")
    client = client[:100] if isinstance(client, str) else ""
    check_room(site, client)
    extra = asked.get("extra_data")
    extra = dict(extra) if isinstance(extra, dict) else {}
    if client:
        extra["client_id"] = client
    number = asked.get("number")  # the lower, the sooner; the queue counts up from 0
    first = asked.get("front") is True or (isinstance(number, int | float) and number < 0)
    outputs = {theirs: SAVES.get(raw[theirs]["class_type"], "output") for theirs in targets}
    with site.store.database.transaction():
        job, _ = site.dispatcher.submit(
            Submission(
                queued.document,
                name,
                targets=tuple(targets.values()),
                priority=int(first),
                client=client,
                models=queued.models,
            )
        )
        records.add(site, records.Record(id, job.id, raw, extra, client, origin, outputs))
    return web.json_response({"prompt_id": id, "number": job.number, "node_errors": errors})


Missing = Mapping[str, list[Problem]]
"""Problems of files that are not there, by every node that needs one."""
Prepared = tuple[str, Queueable, dict[str, str], dict[str, str], dict[str, Any]]


def _prepared(
    site: Site, raw: dict[str, Any], saving: dict[str, Any], missing: Missing, wanted: list[str]
) -> Prepared | web.Response:
    """Name and document, our targets by their nodes, our nodes by theirs, and errors of outputs that are left out."""
    opened = open_raw(saving, site.engine.registry, site.documents.choices)
    outputs = {
        id: opened.origin[id] for id, node in raw.items() if _class(node) in {*SAVES, *SHOWN} and id in opened.origin
    }
    chosen = {id: ours for id, ours in outputs.items() if not wanted or id in wanted}
    if not chosen:
        return failure(400, "prompt_no_outputs", "Prompt has no outputs")
    workflow = site.documents.read(opened.workflow.to_dict())
    good: dict[str, str] = {}
    errors: dict[str, Any] = {}
    first: Problem | None = None
    for id, ours in chosen.items():
        problems = missing.get(id, []) + _problems(site, workflow, ours)
        if not problems:
            good[id] = ours
            continue
        first = first or problems[0]
        _explain(errors, problems, id, opened, raw)
    if good:
        made = site.documents.queueable(workflow, list(good.values()))
        return workflow.name, made, good, dict(opened.origin), errors
    assert first is not None
    if first.code == "placeholder":
        id = _theirs(opened)[first.node]
        message = f"Cannot execute because node {raw[id]['class_type']} does not exist."
        return failure(400, "invalid_prompt", message, f"Node ID '#{id}'")
    return failure(400, "prompt_outputs_failed_validation", "Prompt outputs failed validation", "", errors)


async def _saving(site: Site, raw: Mapping[str, Any]) -> tuple[dict[str, Any], Missing]:
    """The prompt with previews that save, and files by the names of uploads."""
    made = copy.deepcopy(dict(raw))
    missing: dict[str, list[Problem]] = {}
    for id, node in made.items():
        if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
            continue
        kind, inputs = _class(node), node["inputs"]
        if SAVES.get(kind) == "temp":
            source = inputs.get("mask" if kind == "MaskPreview" else "images")
            node["class_type"], node["inputs"] = "SaveImage", {"images": source, "filename_prefix": f"{kind}"}
        elif kind in LOADS and isinstance(inputs.get("image"), str):
            upload = await upload_of(site, inputs["image"])
            if upload is not None:
                inputs["image"] = upload
            else:
                problem = Problem("missing_file", id, "image", f"Invalid image file: {inputs['image']}")
                for reader in _readers(raw, id):
                    missing.setdefault(reader, []).append(problem)
    return made, missing


def _class(node: Any) -> str:
    """The class of a node, or nothing for what is none."""
    found = node.get("class_type") if isinstance(node, dict) else None
    return found if isinstance(found, str) else ""


def _readers(raw: Mapping[str, Any], id: str) -> set[str]:
    """The nodes that a node feeds, directly or not, and itself."""
    items, _ = read_prompt(raw)
    found = {id}
    todo = True
    while todo:
        more = {i for i, item in items.items() for _, wire in item.wires() if wire.node in found} - found
        todo = bool(more)
        found |= more
    return found


def _problems(site: Site, workflow: Workflow, target: str) -> list[Problem]:
    try:
        site.documents.demand(workflow, [target])
    except InvalidWorkflow as error:
        return error.problems
    return []


def _theirs(opened: Opened) -> dict[str, str]:
    return {ours: id for id, ours in opened.origin.items()}


def _explain(errors: dict[str, Any], problems: list[Problem], output: str, opened: Opened, raw: Any) -> None:
    """Add problems by their nodes, in the shape that clients show."""
    theirs = _theirs(opened)
    for problem in problems:
        id = theirs.get(problem.node, problem.node if problem.node in raw else output)
        entry = errors.setdefault(id, {"errors": [], "dependent_outputs": [], "class_type": raw[id]["class_type"]})
        name = _their_input(problem, id, raw)
        said = {
            "type": TYPES.get(problem.code, problem.code),
            "message": problem.message,
            "details": name,
            "extra_info": {"input_name": name},
        }
        if problem.code == "bad_value":
            said["type"] = _value_type(problem.message)
        if said not in entry["errors"]:
            entry["errors"].append(said)
        if output not in entry["dependent_outputs"]:
            entry["dependent_outputs"].append(output)


def _value_type(message: str) -> str:
    if "greater than or equal" in message or "greater than" in message:
        return "value_smaller_than_min"
    if "less than" in message:
        return "value_bigger_than_max"
    return "value_not_in_list" if message.startswith("input should be '") else "invalid_input_type"


def _their_input(problem: Problem, id: str, raw: Any) -> str:
    """The input's name there, as far as it is the same or the only one like it."""
    entry = ENTRIES.get(raw[id]["class_type"])
    how = None if entry is None or problem.port is None else entry.inputs.get(problem.port)
    return paths(how)[0].partition(".")[0] if how is not None else problem.port or ""
