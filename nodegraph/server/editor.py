"""The built editor, from the folder `static` beside this file."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from pathlib import Path

from aiohttp import web

from .access import COOKIE
from .errors import not_found
from .site import Site

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".json": "application/json", ".map": "application/json", ".svg": "image/svg+xml", ".png": "image/png",
    ".webp": "image/webp", ".ico": "image/x-icon", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}  # fmt: skip
ABSENT = b"""<!doctype html><meta charset="utf-8"><title>nodegraph</title>
<p>The server runs, but its editor was not built into it. The API is described at
<a href="/api/openapi.json">/api/openapi.json</a>.</p>
"""


class Editor:
    """Serves the files that were there at the start, and nothing that was not."""

    def __init__(self, folder: Path = STATIC) -> None:
        found = [p for p in folder.rglob("*") if p.is_file() and p.suffix in TYPES] if folder.is_dir() else []
        self._files = {path.relative_to(folder).as_posix(): path for path in found}

    def response(self, name: str) -> web.StreamResponse:
        path = self._files.get(name or "index.html")
        if path is None and not name:
            return web.Response(body=ABSENT, headers={"Content-Type": TYPES[".html"]})
        if path is None:
            raise not_found("file", name)
        hashed = re.search(r"[-.][A-Za-z0-9_-]{8,}\.\w+$", path.name) is not None and path.suffix != ".html"
        cache = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return web.FileResponse(path, headers={"Content-Type": TYPES[path.suffix], "Cache-Control": cache})


def sign_in(site: Site, request: web.Request) -> web.Response:
    """Turn `/?token=...` into a cookie, and take it out of the address."""
    token = request.query["token"]
    site.access.check_token(request.remote or "", f"Bearer {token}", None, "view")
    cookie: SimpleCookie = SimpleCookie()
    cookie[COOKIE] = token
    cookie[COOKIE] |= {"httponly": True, "samesite": "Strict", "path": "/", "max-age": 30 * 86400}
    if request.secure:
        cookie[COOKIE]["secure"] = True
    headers = {"Location": "/", "Set-Cookie": cookie[COOKIE].OutputString()}
    return web.Response(status=303, headers=headers)
