"""What documents are made of: node types, port types and how they fit, and lists of choices."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from typing import Annotated

from aiohttp import web
from pydantic import Field

from ..pack import Registry
from ..types import PortType
from .errors import not_found
from .routing import View, get
from .site import Site

ChoiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class ChoicesView(View):
    values: dict[str, str]


class FitView(View):
    how: str
    mapped: bool
    lifted: bool


class TypesView(View):
    types: list[str]
    fits: dict[str, dict[str, FitView]]


class Catalogue:
    """The answer to `/api/nodes`, made once: it is the same until the server stops."""

    def __init__(self, registry: Registry) -> None:
        from ..interop.table import aliases  # which a server's start need not wait for

        names = aliases()
        nodes = {type_id: node.schema() for type_id, node in registry.items()}
        for type_id in names.keys() & nodes.keys():
            nodes[type_id]["aliases"] = names[type_id]
        self.plain = json.dumps({"nodes": nodes}, separators=(",", ":")).encode()
        self.packed = gzip.compress(self.plain, 6, mtime=0)
        self.tag = f'"{hashlib.blake2b(self.plain, digest_size=12).hexdigest()}"'

    def response(self, request: web.Request) -> web.Response:
        headers = {"ETag": self.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if self.tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return web.Response(body=self.packed, content_type="application/json", headers=headers)
        return web.Response(body=self.plain, content_type="application/json", headers=headers)


class Catalogues:
    """Makes the catalogue when it is first asked for, or soon after the start, which it would hold up."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._making: asyncio.Task[Catalogue] | None = None

    def make(self) -> asyncio.Task[Catalogue]:
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(Catalogue, self._registry))
        return self._making


CATALOGUE: web.AppKey[Catalogues] = web.AppKey("catalogue")
SOON = 1.0
"""Seconds after the start at which the catalogue is made, if nobody asked for it before."""


@get("/api/nodes", gives="application/json")
async def nodes(site: Site, request: web.Request) -> web.Response:
    """Every node type: its ports, widgets, defaults and help. `{"nodes": {type id: schema}}`."""
    return (await request.app[CATALOGUE].make()).response(request)


@get("/api/types")
async def types(site: Site) -> TypesView:
    """Which port type may feed which, and how. A pair that is not listed does not fit."""
    return fits(site.engine.registry)


def fits(registry: Registry) -> TypesView:
    """The table of fits over every type that a port has, and over lists of what nodes give."""
    nodes = [node for _, node in registry.items()]
    given = {o.type for n in nodes for o in n.outputs.values()}
    sources = given | {t.listed() for t in given if not t.is_list}
    targets = {i.type for n in nodes for i in n.inputs.values()}
    table: dict[str, dict[str, FitView]] = {}
    for source in sources:
        for target in targets:
            fit = registry.coercions.fit(source, target)
            if fit is not None:
                table.setdefault(str(source), {})[str(target)] = FitView(
                    how=fit.name, mapped=fit.mapped, lifted=fit.lifted
                )
    every: set[PortType] = sources | targets
    return TypesView(
        types=sorted({str(t) for t in every}), fits={k: dict(sorted(table[k].items())) for k in sorted(table)}
    )


@get("/api/choices/{name}")
async def choices(site: Site, name: ChoiceName) -> ChoicesView:
    """The values that a pack offers for an input with `x-choices`, each with a few words about it."""
    if not any(offered.name == name for pack in site.engine.registry.packs for offered in pack.choices):
        raise not_found("list of choices", name)
    return ChoicesView(values=dict(site.documents.choices(name)))
