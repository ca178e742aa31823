"""What became of prompts, as ComfyUI tells it."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from aiohttp import web

from ...jobs import Job, Result
from ...jobs.gallery import Search
from ..site import Site
from . import records
from .records import Record
from .wire import body, strings, wire

MOST = 1000
"""Prompts that are listed, and results of one."""


@wire("GET", "/history")
async def listed(site: Site, request: web.Request) -> web.Response:
    """The prompts that have ended, oldest first: the newest `max_items`, or so many behind the oldest `offset`."""
    limit, offset = (_count(request.query.get(name), usual) for name, usual in (("max_items", MOST), ("offset", -1)))
    found = records.in_states(site, "done", "failed", "cancelled", limit=min(limit, MOST), offset=offset)
    return web.json_response({record.id: entry for record in found if (entry := _entry(site, record)) is not None})


def _count(text: str | None, usual: int) -> int:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) else usual


@wire("GET", "/history/{id}")
async def one(site: Site, request: web.Request) -> web.Response:
    """What became of one prompt; nothing while it waits or runs."""
    record = records.get(site, request.match_info["id"])
    entry = None if record is None else _entry(site, record)
    return web.json_response({} if record is None or entry is None else {record.id: entry})


@wire("POST", "/history", "run")
async def change(site: Site, request: web.Request) -> web.Response:
    """Forget prompts that have ended: all with `clear`, or those in `delete`. Their results stay."""
    asked = await body(request)
    ended = {record.id for record in records.in_states(site, "done", "failed", "cancelled", limit=100_000)}
    for id in ended if asked.get("clear") is True else ended & set(strings(asked.get("delete"))):
        records.forget(site, id)
    return web.Response()


def images(site: Site, record: Record) -> dict[str, dict[str, Any]]:
    """The files of each of their nodes, as `/view` takes them."""
    made: dict[str, dict[str, Any]] = {}
    for result in reversed(site.store.gallery.search(Search(job=record.job, limit=MOST))):
        theirs = record.theirs.get(result.node)
        if theirs is not None and theirs in record.outputs:
            listed = made.setdefault(theirs, {"images": []})["images"]
            listed.append(image(record, theirs, result))
    return made


def image(record: Record, theirs: str, result: Result) -> dict[str, str]:
    """How a file is named there: by a number of its own, since many clients forget the folder."""
    name = f"{stem(result)}_{result.number:05}_{PurePath(result.name).suffix}"
    return {"filename": name, "subfolder": "", "type": record.outputs[theirs]}


def stem(result: Result) -> str:
    """What a file is called without the number that it has among those of its job."""
    return re.sub(r"_[0-9]+$", "", PurePath(result.name).stem)


def by_name(site: Site, name: str) -> Result | None:
    """The result that `image` calls so."""
    found = re.fullmatch(r"(.*)_([0-9]{5,15})_(\.[a-z0-9]+)", name)
    row = found and site.store.database.row("SELECT id FROM results WHERE number = ?", (int(found[2]),))
    result = site.store.gallery.get(row["id"]) if row else None
    same = found and result and (stem(result), PurePath(result.name).suffix) == (found[1], found[3])
    return result if same else None


def failure_of(record: Record, job: Job) -> dict[str, Any]:
    """Which node failed and why: never with a traceback, nor a path."""
    node, state = next(((n, s) for n, s in job.nodes.items() if s["state"] == "failed"), ("", None))
    message = (job.error if state is None else state.get("error")) or "it failed"
    found = re.match(r"([A-Za-z_][\w.]*(?:Error|Exception|Warning)): ", message)
    id = record.theirs.get(node, "")
    executed = [record.theirs[n] for n, s in job.nodes.items() if s["state"] == "done" and n in record.theirs]
    return {
        "prompt_id": record.id,
        "node_id": id,
        "node_type": record.prompt[id]["class_type"] if id in record.prompt else "",
        "executed": executed,
        "exception_message": message,
        "exception_type": found[1] if found else "Exception",
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
        "timestamp": stamp(job.ended),
    }


def interruption_of(record: Record, job: Job) -> dict[str, Any]:
    node = next((n for n, s in job.nodes.items() if s["state"] == "running" and n in record.theirs), "")
    id = record.theirs.get(node, "")
    kind = record.prompt[id]["class_type"] if id in record.prompt else ""
    return {"prompt_id": record.id, "node_id": id, "node_type": kind, "executed": [], "timestamp": stamp(job.ended)}


def stamp(seconds: float | None) -> int:
    """Milliseconds, as browsers count them."""
    return int((seconds or 0) * 1000)


def _entry(site: Site, record: Record) -> dict[str, Any] | None:
    job = site.store.queue.get(record.job)
    if job is None or not job.has_ended:
        return None
    about = {"prompt_id": record.id, "timestamp": stamp(job.started or job.created)}
    cached = [record.theirs[n] for n, s in job.nodes.items() if s["state"] == "cached" and n in record.theirs]
    messages: list[list[Any]] = [["execution_start", about], ["execution_cached", {**about, "nodes": cached}]]
    match job.state:
        case "done":
            messages.append(["execution_success", {"prompt_id": record.id, "timestamp": stamp(job.ended)}])
        case "failed":
            messages.append(["execution_error", failure_of(record, job)])
        case _:
            messages.append(["execution_interrupted", interruption_of(record, job)])
    good = job.state == "done"
    outputs = images(site, record)
    return {
        "prompt": record.ticket(job),
        "outputs": outputs,
        "status": {"status_str": "success" if good else "error", "completed": good, "messages": messages},
        "meta": {id: {"node_id": id, "display_node": id, "parent_node": None, "real_node_id": id} for id in outputs},
    }
