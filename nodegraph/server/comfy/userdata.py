"""The small files that ComfyUI's front end keeps on the server: workflows, bookmarks, keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..errors import Refused
from ..site import Site
from .wire import wire

MOST = 5000
"""Files in all."""


@wire("GET", "/userdata")
async def listed(site: Site, request: web.Request) -> web.Response:
    """The files in a folder: their names below it, or with `full_info` what is known of each, or with `split` their
    parts."""
    folder = _path(request.query.get("dir", "") + "/")
    deep, full, split = (request.query.get(name) == "true" for name in ("recurse", "full_info", "split"))
    found = [row for row in _rows(site, folder) if deep or "/" not in row["path"][len(folder) :]]
    if full:
        return web.json_response([_info(row, len(folder)) for row in found])
    names = [row["path"][len(folder) :] for row in found]
    return web.json_response([[name, *name.split("/")] for name in names] if split else names)


@wire("GET", "/v2/userdata")
async def tree(site: Site, request: web.Request) -> web.Response:
    """What is directly in a folder, folders first."""
    folder = _path(request.query.get("path", "") + "/")
    rows = _rows(site, folder)
    inner = dict.fromkeys(row["path"][len(folder) :].split("/")[0] for row in rows if "/" in row["path"][len(folder) :])
    folders = [{"name": name, "path": folder + name, "type": "directory"} for name in inner]
    files = [row for row in rows if "/" not in row["path"][len(folder) :]]
    told = [{**_info(row), "name": row["path"][len(folder) :], "type": "file"} for row in files]
    return web.json_response([*folders, *told])


@wire("GET", "/userdata/{file:.+}")
async def read(site: Site, request: web.Request) -> web.Response:
    """One file as it was kept. It is never shown as a page."""
    path = _path(request.match_info["file"])
    row = site.store.database.row("SELECT content FROM userdata WHERE path = ?", (path,))
    if row is None:
        raise Refused(404, "not_found", f"there is no file {path[:80]!r}")
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=row["content"], content_type="application/octet-stream", headers=headers)


@wire("POST", "/userdata/{file:.+}/move/{dest:.+}", "run")
async def move(site: Site, request: web.Request) -> web.Response:
    """Give a file another name."""
    source, target = _path(request.match_info["file"]), _path(request.match_info["dest"])
    database = site.store.database
    with database.transaction():
        if database.row("SELECT path FROM userdata WHERE path = ?", (source,)) is None:
            raise Refused(404, "not_found", f"there is no file {source[:80]!r}")
        if source != target:
            _make_room(site, target, request.query)
            database.run("DELETE FROM userdata WHERE path = ?", (target,))
            database.run("UPDATE userdata SET path = ? WHERE path = ?", (target, source))
    return web.json_response(_told(site, target, request.query))


@wire("POST", "/userdata/{file:.+}", "run")
async def write(site: Site, request: web.Request) -> web.Response:
    """Keep a file."""
    path, content = _path(request.match_info["file"]), await request.read()
    database, now = site.store.database, time.time()
    with database.transaction():
        _make_room(site, path, request.query)
        database.run(
            "INSERT INTO userdata (path, content, created, modified) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (path) DO UPDATE SET content = excluded.content, modified = excluded.modified",
            (path, content, now, now),
        )
    return web.json_response(_told(site, path, request.query))


@wire("DELETE", "/userdata/{file:.+}", "run")
async def delete(site: Site, request: web.Request) -> web.Response:
    """Take a file away."""
    path = _path(request.match_info["file"])
    if site.store.database.run("DELETE FROM userdata WHERE path = ?", (path,)).rowcount == 0:
        raise Refused(404, "not_found", f"there is no file {path[:80]!r}")
    return web.Response(status=204)


def _path(text: str) -> str:
    """A path without what leads out of the user's data; of a folder with the `/` at its end. Raises `Refused`."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in text or "\\" in text or len(text) > 300:
        raise Refused(400, "invalid_name", f"{text[:80]!r} names no file that could be here")
    return "/".join(parts) + ("/" if text.endswith("/") and parts else "")


def _rows(site: Site, start: str) -> list[Any]:
    """What is known of the files whose paths begin with `start`."""
    sql = (
        "SELECT path, length(content) AS size, created, modified FROM userdata "
        "WHERE substr(path, 1, ?) = ? ORDER BY path"
    )
    return site.store.database.rows(sql, (len(start), start))


def _info(row: Any, start: int = 0) -> dict[str, Any]:
    """What is known of a file; times in milliseconds."""
    moments = {name: int(row[name] * 1000) for name in ("created", "modified")}
    return {"path": row["path"][start:], "size": row["size"], **moments}


def _told(site: Site, path: str, query: Mapping[str, str]) -> Any:
    if query.get("full_info") != "true":
        return path
    return _info(_rows(site, path)[0])  # the shortest of those that begin so


def _make_room(site: Site, path: str, query: Mapping[str, str]) -> None:
    """Refuse to write over a file where that is not wanted, and more files than there may be."""
    database = site.store.database
    if not path:
        raise Refused(400, "invalid_name", "needs the name of a file")
    there = database.row("SELECT path FROM userdata WHERE path = ?", (path,)) is not None
    if there and query.get("overwrite") == "false":
        raise Refused(409, "exists", f"there is a file {path[:80]!r} already")
    count = database.row("SELECT count(*) FROM userdata")
    if not there and count is not None and count[0] >= MOST:
        raise Refused(413, "too_many", f"at most {MOST:,} files are kept; delete some")
