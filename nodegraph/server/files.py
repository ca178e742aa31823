"""Files as answers: pictures are shown, all else is only ever saved by a browser."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from aiohttp import web

SHOWN = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif", ".bmp": "image/bmp",
}  # fmt: skip
"""Kinds a browser shows and cannot run. SVG and HTML are not among them."""
PASSIVE = "default-src 'none'; sandbox"
FOREVER = "private, max-age=31536000, immutable"


def picture_response(path: Path, name: str, download: bool = False, cache: str = FOREVER) -> web.FileResponse:
    """A file whose content never changes under its address."""
    kind = SHOWN.get(path.suffix.lower())
    how = "attachment" if download or kind is None else "inline"
    return web.FileResponse(
        path,
        headers={
            "Content-Type": kind or "application/octet-stream",
            "Content-Disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": PASSIVE,
            "Cache-Control": cache,
        },
    )
