"""`nodegraph submit`, `nodegraph jobs` and `nodegraph mcp`: work for a server, and what becomes of it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..client import ADDRESS, ENDED, Client, ServerError, Unreachable
from ..problems import Problem
from .console import fail, table

SERVER = "NODEGRAPH_SERVER"
TOKEN = "NODEGRAPH_TOKEN"  # noqa: S105  # the name of a variable


def add_to(commands: Any) -> None:
    submit = commands.add_parser("submit", help="give a workflow to a server, and print the files it made")
    submit.add_argument("workflow", metavar="FILE|NAME", help="a workflow's file, a picture, or a stored name")
    submit.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given",
                        help="an exposed input or node.input; a file is sent; repeat for more")  # fmt: skip
    submit.add_argument("--out", default="output", metavar="DIR", help="where files go (default: output)")
    submit.add_argument("--priority", type=int, default=0, help="higher goes first (default: 0)")
    submit.add_argument("--no-wait", action="store_true", help="print the job's id and do not wait for its end")
    _server(submit)
    submit.set_defaults(run=partial(_told, _submit))
    jobs = commands.add_parser("jobs", help="list a server's jobs, show one, or cancel, retry or move it")
    jobs.add_argument("id", nargs="?", metavar="JOB", help="a job's id")
    jobs.add_argument("--state", choices=("pending", "running", *ENDED), help="only those")
    how = jobs.add_mutually_exclusive_group()
    how.add_argument("--cancel", action="store_true", help="stop it")
    how.add_argument("--retry", action="store_true", help="queue the same again")
    how.add_argument("--priority", type=int, help="move it in the queue: higher goes first")
    jobs.add_argument("--json", action="store_true", help="print JSON")
    _server(jobs)
    jobs.set_defaults(run=partial(_told, _jobs))
    mcp = commands.add_parser("mcp", help="offer a server's workflows as tools to an assistant (MCP, standard input)")
    _server(mcp)
    mcp.set_defaults(run=partial(_told, _mcp))


def _server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="URL", help=f"the server's address (or set {SERVER}; default: {ADDRESS})")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _told(action: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Do it; what the server says against it is told in the server's words."""
    try:
        return action(options)
    except (ServerError, Unreachable) as error:
        if options.debug:
            raise
        return fail(str(error))


def client(options: argparse.Namespace) -> Client:
    return Client(options.server or os.environ.get(SERVER) or ADDRESS, os.environ.get(TOKEN) or None)


def _submit(options: argparse.Namespace) -> int:
    server = client(options)
    inputs = dict(_assignment(server, item) for item in options.given)
    path = Path(options.workflow)
    if path.is_file():
        opened = json.loads(server.request("POST", "/api/open", {}, path.read_bytes(), "application/octet-stream"))
        for note in opened["notes"]:
            print(f"note: {Problem(**note)}", file=sys.stderr)
        job = server.submit(opened["document"], inputs=inputs, priority=options.priority)
    else:
        job = server.submit(workflow=options.workflow, inputs=inputs, priority=options.priority)
    if options.no_wait:
        print(job["id"])
        return 0
    try:
        ended = server.wait(job)
    except KeyboardInterrupt:
        server.cancel(job["id"])
        raise
    for file in server.save(ended, Path(options.out)):
        print(file)
    return 0 if ended["state"] == "done" else fail(ended["error"] or f"the job was {ended['state']}")


def _assignment(server: Client, item: str) -> tuple[str, Any]:
    """`name=value`; a value that is a picture on this machine is sent, and named as the server does."""
    name, sign, value = item.partition("=")
    if not sign:
        raise ValueError(f"--set {item!r}: needs name=value; quote it if the value has spaces")
    if Path(value).suffix and Path(value).is_file():
        return name, server.upload(Path(value))
    return name, value


def _jobs(options: argparse.Namespace) -> int:
    server = client(options)
    if options.id is None:
        if options.cancel or options.retry or options.priority is not None:
            return fail("needs the id of a job; `nodegraph jobs` lists them", status=2)
        listed = server.get("/api/jobs", state=options.state)["jobs"]
        if options.json:
            print(json.dumps(listed, indent=1))
        else:
            table(("job", "state", "name", "seconds", "error"), [_row(job) for job in listed])
        return 0
    job = _one(server, options)
    if options.json:
        print(json.dumps(job, indent=1))
        return 0
    table(("job", "state", "name", "seconds", "error"), [_row(job)])
    rows = [
        (id, node["state"], _seconds(node["seconds"]), _memory(node["memory"]), node["error"] or "")
        for id, node in job["nodes"].items()
    ]
    table(("node", "state", "seconds", "memory", "error"), rows)
    return 0


def _one(server: Client, options: argparse.Namespace) -> dict[str, Any]:
    made: dict[str, Any]
    if options.cancel:
        made = server.cancel(options.id)
    elif options.retry:
        made = server.post(f"/api/jobs/{options.id}/retry")
    elif options.priority is not None:
        body = {"priority": options.priority}
        made = json.loads(server.request("PATCH", f"/api/jobs/{options.id}", {}, body))
    else:
        made = server.job(options.id)
    return made


def _mcp(options: argparse.Namespace) -> int:
    import asyncio

    try:
        from ..assistant import serve
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("mcp"):
            raise
        return fail("needs the package mcp: pip install 'nodegraph[mcp]'")
    asyncio.run(serve(client(options)))
    return 0


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    took = None if job["ended"] is None or job["started"] is None else job["ended"] - job["started"]
    return job["id"], job["state"], job["name"], _seconds(took), job["error"] or ""


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _memory(value: int | None) -> str:
    return "" if value is None else f"{value / 2**20:.0f} MB"
