"""Workflows as tools, asked for by the protocol's own client over standard input and output."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from typing import Any

import pytest

from server.pictures import png
from server.service import Service
from server.test_gallery import saving, send

pytest.importorskip("mcp")

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters


def talk(service: Service, arguments: dict[str, Any]) -> tuple[Any, Any, list[tuple[float, float | None]]]:
    """The tools, the answer of `as_a_tool`, and the progress on the way."""
    command = [
        "-c",
        "from nodegraph.cli import main; main()",
        "mcp",
        "--server",
        f"http://{service.host}:{service.port}",
    ]
    seen: list[tuple[float, float | None]] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    async def scenario() -> tuple[Any, Any]:
        async with Client(StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))) as client:
            tools = (await client.list_tools()).tools
            answer = await client.call_tool("as_a_tool", arguments, progress_callback=heard)
            return tools, answer

    tools, answer = asyncio.run(asyncio.wait_for(scenario(), 60))
    return tools, answer, seen


def test_a_stored_workflow_is_a_tool_that_gives_pictures(service: Service) -> None:
    picture = png(7, 5)
    upload = send(service, picture)
    service.ask("PUT", "/api/workflows/as_a_tool", {"document": saving(upload)})
    tools, answer, progress = talk(service, {"file": upload})
    known = {tool.name: tool for tool in tools}
    assert known["txt2img"].input_schema["properties"]["seed"]["type"] == "integer"
    assert not [k for p in known["txt2img"].input_schema["properties"].values() for k in p if k.startswith("x-")]
    assert not answer.is_error
    said, shown = answer.content
    assert said.text.startswith("Copy: done")
    assert shown.mime_type == "image/png"
    assert base64.b64decode(shown.data).startswith(b"\x89PNG")
    assert progress[-1] == (2, 2)
    assert [done for done, _ in progress] == sorted({done for done, _ in progress})


def test_what_a_server_refuses_is_told(service: Service) -> None:
    service.ask("PUT", "/api/workflows/as_a_tool", {"document": saving(send(service, png(7, 5)))})
    _, answer, _ = talk(service, {"file": "/etc/passwd"})
    assert answer.is_error
    assert "needs the name of an upload" in answer.content[0].text
