"""Every workflow of a server as a tool for assistants that speak the Model Context Protocol.

A tool is called by its workflow's name, takes its exposed inputs, reports progress while it runs, and gives the
pictures it saved. Needs the extra `mcp`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from . import __version__
from .client import ENDED, Client, ServerError, Unreachable

SHOWN = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}
LARGEST = 4 * 2**20
"""Bytes of a picture that is given as it is; of a larger one its thumbnail is."""
PACE = 0.3
"""Seconds between looks at a job."""
Report = Callable[[float, float, str], Awaitable[None]]


def tool(workflow: Mapping[str, Any]) -> types.Tool:
    """The tool of a workflow, as `GET /api/workflows` describes it."""
    properties = {item["name"]: _property(item) for item in workflow["inputs"]}
    return types.Tool(
        name=workflow["name"],
        title=workflow["title"],
        description=workflow["description"] or workflow["title"],
        input_schema={"type": "object", "properties": properties, "additionalProperties": False},
    )


def _property(item: Mapping[str, Any]) -> dict[str, Any]:
    """An input's JSON Schema without what is for editors, and with the value it has if none is given."""
    made = {key: value for key, value in item["schema"].items() if not key.startswith("x-")}
    made |= {"title": item["title"], "description": item["description"] or made.get("description", "")}
    return made if item["value"] is None else {**made, "default": item["value"]}


async def call(client: Client, name: str, inputs: Mapping[str, Any], report: Report) -> types.CallToolResult:
    """Run a workflow to its end, and give what it saved. A job whose caller goes away is cancelled."""
    try:
        job = await asyncio.to_thread(client.submit, workflow=name, inputs=inputs)
        ended = await _followed(client, job, report)
        content = await asyncio.to_thread(_content, client, ended)
    except (ServerError, Unreachable) as error:
        return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
    return types.CallToolResult(content=content, is_error=ended["state"] != "done")


async def _followed(client: Client, job: dict[str, Any], report: Report) -> dict[str, Any]:
    told = -1.0
    try:
        while True:
            found = await asyncio.to_thread(client.job, job["id"])
            nodes = found["nodes"]
            running = ", ".join(id for id, node in nodes.items() if node["state"] == "running")
            total = max(len(found["document"]["nodes"]), len(nodes))
            done = total if found["state"] == "done" else sum(map(_share, nodes.values()))
            if done > told:  # the protocol wants progress that grows
                told = done
                await report(done, total, running or found["state"])
            if found["state"] in ENDED:
                return found
            await asyncio.sleep(PACE)
    except asyncio.CancelledError:
        await asyncio.shield(asyncio.to_thread(client.cancel, job["id"]))
        raise


def _share(node: Mapping[str, Any]) -> float:
    """How much of a node is done, from 0 to 1."""
    if node["state"] != "running":
        return 1.0
    return float(node["step"] / node["total"]) if node.get("total") else 0.0


def _content(client: Client, job: Mapping[str, Any]) -> list[types.ContentBlock]:
    reason = f": {job['error']}" if job["error"] else ""
    said = f"{job['name'] or job['workflow']}: {job['state']}{reason} (job {job['id']})"
    made: list[types.ContentBlock] = [types.TextContent(text=said)]
    for id in job["results"]:
        result = client.get(f"/api/results/{id}")
        kind = next((kind for suffix, kind in SHOWN.items() if result["name"].endswith(suffix)), None)
        if kind is None:
            made.append(types.TextContent(text=f"{result['name']}: {client.address}{result['url']}"))
            continue
        small = result["bytes"] > LARGEST and result["thumbnail"] is not None
        data = client.request("GET", result["thumbnail"] if small else result["url"], {})
        kind = "image/webp" if small else kind
        made.append(types.ImageContent(data=base64.b64encode(data).decode(), mime_type=kind))
    return made


def make_server(client: Client) -> Server[Any]:
    """The protocol's server, which passes everything on to `client`."""

    async def list_tools(context: ServerRequestContext[Any, Any], params: Any) -> types.ListToolsResult:
        listed = await asyncio.to_thread(client.get, "/api/workflows")
        return types.ListToolsResult(tools=[tool(workflow) for workflow in listed["workflows"]])

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        async def report(done: float, total: float, what: str) -> None:
            await context.session.report_progress(done, total, what)

        return await call(client, params.name, params.arguments or {}, report)

    return Server("nodegraph", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)


async def serve(client: Client) -> None:
    """Speak the protocol on standard input and output, until the other side goes."""
    server = make_server(client)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
