"""Files by the names that ComfyUI's clients give them: uploads, results, previews."""

from __future__ import annotations

import asyncio
import io
import json
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from ...carrier import read_document
from ...jobs.intake import keep_picture
from ...pictures import open_picture
from ..errors import Refused
from ..files import picture_response
from ..site import Site
from . import records
from .history import by_name
from .wire import wire

KINDS = ("input", "output", "temp")
ANNOTATED = re.compile(r"(.*?)(?: \[(input|output|temp)\])?")
HEAD = 33
"""Bytes of a PNG's signature and first chunk."""
FORMATS = {"webp": "image/webp", "jpeg": "image/jpeg"}


def _apart(text: str) -> tuple[str, str]:
    """The folder and the name in a path below a kind's folder. Raises `Refused` for what lies elsewhere."""
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in text or len(text) > 300:
        raise Refused(400, "invalid_name", f"{text[:80]!r} names no file that could be here")
    return "/".join(parts[:-1]), parts[-1]


def find(site: Site, kind: str, subfolder: str, name: str) -> Path | None:
    """The file that a client names. Only files that are recorded are found, wherever a name points."""
    folder, name = _apart(f"{subfolder}/{name}")
    if (upload := records.named_file(site, kind, folder, name)) is not None:
        path = site.store.uploads / upload
        return path if path.is_file() else None
    result = by_name(site, name) if kind in ("output", "temp") and not folder else None
    if result is not None:
        path = site.store.results / result.file
        return path if path.is_file() else None
    return None


async def upload_of(site: Site, text: str) -> str | None:
    """The upload that an image input means: `name.png`, `folder/name.png [output]`."""
    found = ANNOTATED.fullmatch(text)
    assert found is not None
    kind = found[2] or "input"
    try:
        folder, name = _apart(found[1])
    except Refused:
        return None
    if (upload := records.named_file(site, kind, folder, name)) is not None:
        return upload
    path = find(site, kind, folder, name)
    if path is None:
        return None
    made = await asyncio.to_thread(lambda: keep_picture(path.read_bytes(), site.store.uploads))
    site.store.library.add_upload(made)
    return made.name


@wire("GET", "/view")
async def view(site: Site, request: web.Request) -> web.StreamResponse:
    """A file: as it is, or as a smaller `preview`, or one `channel` of it."""
    query = request.query
    kind, name = query.get("type", "output"), query.get("filename", "")
    if kind not in KINDS:
        raise Refused(400, "invalid_type", f"needs a type of {', '.join(KINDS)}, not {kind[:40]!r}")
    path = find(site, kind, query.get("subfolder", ""), name)
    if path is None:
        raise Refused(404, "not_found", f"there is no {kind} file {name[:80]!r}")
    format, _, quality = query.get("preview", "").partition(";")
    channel = query.get("channel", "rgba")
    if format in FORMATS or channel in ("rgb", "a"):
        number = int(quality) if re.fullmatch(r"[0-9]{1,3}", quality) else 90
        try:
            data, media = await asyncio.to_thread(_drawn, path, format, min(max(number, 1), 100), channel)
        except (ValueError, OSError) as error:
            raise Refused(400, "not_a_picture", f"{name[:80]!r} cannot be shown: {error}") from None
        return web.Response(body=data, content_type=media)
    answer = picture_response(path, path.name, cache="no-cache")
    texts = _texts(site, name)
    if path.suffix != ".png" or not texts:
        return answer
    data = await asyncio.to_thread(lambda: _telling(path.read_bytes(), texts))
    return web.Response(body=data, headers={**answer.headers})


def _texts(site: Site, name: str) -> dict[str, str]:
    """What ComfyUI writes into the picture of that name: the prompt, and what came with it to be written there."""
    result = by_name(site, name)
    record = None if result is None else records.of_job(site, result.job)
    if record is None:
        return {}
    info = record.extra.get("extra_pnginfo")
    more = info if isinstance(info, dict) else {}
    return {key: json.dumps(value) for key, value in {"prompt": record.prompt, **more}.items() if key.isascii()}


def _telling(picture: bytes, texts: Mapping[str, str]) -> bytes:
    """A PNG with texts behind its head, unless it was saved without its document."""
    try:
        read_document(picture)
    except ValueError:
        return picture
    made = b""
    for key, text in texts.items():
        body = b"tEXt" + key.encode()[:79] + b"\0" + text.encode()
        made += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return picture[:HEAD] + made + picture[HEAD:]


def _drawn(path: Path, format: str, quality: int, channel: str) -> tuple[bytes, str]:
    file = io.BytesIO()
    with open_picture(path) as picture:
        if channel == "a":
            whole = picture.convert("RGBA")
            made = whole.getchannel("A").convert("L")
        elif channel == "rgb" or format == "jpeg":
            made = picture.convert("RGB")
        else:
            made = picture.convert("RGBA")
    kind = format if format in FORMATS else "png"
    made.save(file, kind, **({"quality": quality} if format in FORMATS else {}))
    return file.getvalue(), FORMATS.get(format, "image/png")


@wire("POST", "/upload/image", "run")
async def upload_image(site: Site, request: web.Request) -> web.Response:
    """Keep a picture under a name. The same content keeps its name; another gets a number, unless it may overwrite."""
    form = await _form(site, request)
    return web.json_response(await _keep(site, form, form.data))


@wire("POST", "/upload/mask", "run")
async def upload_mask(site: Site, request: web.Request) -> web.Response:
    """Keep a picture with the transparency of a mask that is drawn over it, which `original_ref` names."""
    form = await _form(site, request)
    try:
        given = json.loads(form.fields.get("original_ref", ""))
    except ValueError:
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("filename"), str):
        raise Refused(400, "no_original", "needs the field original_ref: an object with filename, subfolder and type")
    subfolder, kind = (str(given.get(key) or usual) for key, usual in (("subfolder", ""), ("type", "output")))
    path = find(site, kind, subfolder, given["filename"])
    if path is None:
        raise Refused(404, "not_found", f"there is no {kind[:40]} file {given['filename'][:80]!r}")
    try:
        data = await asyncio.to_thread(_masked, path, form.data)
    except (ValueError, OSError) as error:
        raise Refused(400, "not_a_picture", f"the mask cannot be put on the picture: {error}") from None
    return web.json_response(await _keep(site, form, data))


def _masked(path: Path, mask: bytes) -> bytes:
    file = io.BytesIO()
    with open_picture(path) as original, open_picture(mask) as drawn:
        made = original.convert("RGBA")
        alpha = drawn.convert("RGBA").getchannel("A")
        made.putalpha(alpha.resize(made.size))
    made.save(file, "png", compress_level=4)
    return file.getvalue()


class Form:
    """What a form to upload holds."""

    def __init__(self) -> None:
        self.name, self.data, self.fields = "", b"", dict[str, str]()


async def _form(site: Site, request: web.Request) -> Form:
    made = Form()
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                continue
            data = await _read(part, site.limits.upload)
            if part.name == "image":
                made.name, made.data = part.filename or "image.png", data
            elif part.name:
                made.fields[part.name] = data.decode("utf-8", "replace")
    except (ValueError, AssertionError) as error:
        raise Refused(400, "bad_request", f"the form cannot be read: {error}") from None
    if not made.data:
        raise Refused(400, "no_image", "the form needs a field 'image'")
    return made


async def _read(part: Any, limit: int) -> bytes:
    made = bytearray()
    while data := await part.read_chunk():
        made += data
        if len(made) > limit:
            raise Refused(413, "too_large", f"a file may have at most {limit:,} bytes; make it smaller")
    return bytes(made)


async def _keep(site: Site, form: Form, data: bytes) -> dict[str, str]:
    kind = form.fields.get("type", "input")
    if kind not in KINDS:
        raise Refused(400, "invalid_type", f"needs a type of {', '.join(KINDS)}, not {kind[:40]!r}")
    folder, name = _apart(f"{form.fields.get('subfolder', '')}/{form.name}")
    try:
        made = await asyncio.to_thread(keep_picture, data, site.store.uploads)
    except ValueError as error:
        raise Refused(400, "not_a_picture", f"the file cannot be used: {error}") from None
    site.store.library.add_upload(made)
    stem, dot, suffix = name.rpartition(".")
    stem, number = stem or name, 0
    chosen = name
    if form.fields.get("overwrite") not in ("true", "1"):
        while records.named_file(site, kind, folder, chosen) not in (None, made.name):
            number += 1
            chosen = f"{stem} ({number}){dot}{suffix}"
    records.name_file(site, kind, folder, chosen, made.name)
    return {"name": chosen, "subfolder": folder, "type": kind}
