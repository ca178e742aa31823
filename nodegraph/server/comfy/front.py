"""What ComfyUI's own front end asks for beside prompts: one user, its settings, and lists of what is not there."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from ..errors import Refused
from ..site import Site
from . import catalogue, records
from .wire import body, wire

ROW = "comfyui front end"
"""Under which name the settings are kept."""
MOST = 1 << 20
"""Bytes of all settings."""


@wire("GET", "/users")
async def users(site: Site, request: web.Request) -> web.Response:
    """There is one user, whose data the server keeps."""
    return web.json_response({"storage": "server", "migrated": True})


@wire("GET", "/settings")
async def settings(site: Site, request: web.Request) -> web.Response:
    """All settings by name."""
    return web.json_response(_settings(site))


@wire("GET", "/settings/{name}")
async def setting(site: Site, request: web.Request) -> web.Response:
    """One setting; null for one that was not set."""
    return web.json_response(_settings(site).get(request.match_info["name"]))


@wire("POST", "/settings", "run")
async def set_several(site: Site, request: web.Request) -> web.Response:
    """Change the settings that are given."""
    _change(site, await body(request))
    return web.Response()


@wire("POST", "/settings/{name}", "run")
async def set_one(site: Site, request: web.Request) -> web.Response:
    """Change one setting to the value in the body."""
    try:
        value = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise Refused(400, "invalid_json", f"the body is no JSON that can be read: {error}") from None
    _change(site, {request.match_info["name"]: value})
    return web.Response()


def _settings(site: Site) -> dict[str, Any]:
    row = site.store.database.row("SELECT value FROM settings WHERE name = ?", (ROW,))
    found: dict[str, Any] = json.loads(row[0]) if row is not None else {}
    return found


def _change(site: Site, values: dict[str, Any]) -> None:
    with site.store.database.transaction():
        text = json.dumps(_settings(site) | values)
        if len(text) > MOST:
            raise Refused(413, "too_large", f"all settings together may have {MOST:,} bytes")
        site.store.database.run("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (ROW, text))


@wire("GET", "/extensions")
async def extensions(site: Site, request: web.Request) -> web.Response:
    """Scripts that would extend the front end: none."""
    return web.json_response([])


@wire("GET", "/workflow_templates")
@wire("GET", "/i18n")
@wire("GET", "/global_subgraphs")
@wire("GET", "/internal/folder_paths")
async def nothing(site: Site, request: web.Request) -> web.Response:
    """What other packs of nodes bring along: nothing."""
    return web.json_response({})


@wire("GET", "/experiment/models")
async def folders(site: Site, request: web.Request) -> web.Response:
    """The kinds of models."""
    return web.json_response([{"name": name, "folders": []} for name in catalogue.FOLDERS])


@wire("GET", "/experiment/models/{folder}")
async def models(site: Site, request: web.Request) -> web.Response:
    """The models of a kind."""
    names = catalogue.names_in(site, request.match_info["folder"])
    return web.json_response([{"name": name, "pathIndex": 0} for name in names])


@wire("GET", "/internal/files/{kind}")
async def files(site: Site, request: web.Request) -> web.Response:
    """The names of uploads of a kind."""
    return web.json_response(records.file_names(site, request.match_info["kind"]))


@wire("GET", "/internal/logs")
async def log(site: Site, request: web.Request) -> web.Response:
    """What was logged, as one text; it is not shown to clients."""
    return web.json_response("")


@wire("GET", "/internal/logs/raw")
async def logs(site: Site, request: web.Request) -> web.Response:
    """What was logged; it is not shown to clients."""
    return web.json_response({"entries": [], "size": {"cols": 80, "rows": 24}})


@wire("PATCH", "/internal/logs/subscribe")
async def subscribe(site: Site, request: web.Request) -> web.Response:
    """Asks to be told what is logged: nothing is."""
    return web.Response()
