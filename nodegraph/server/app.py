"""The aiohttp application: routes, the guard around them, and what starts and stops with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from ..jobs import Job
from . import (
    catalogue,
    checks,
    health,
    library,
    openapi,
    opening,
    outputs,
    queueing,
    results,
    stream,
    sweeps,
    uploads,
    workflows,
)
from .catalogue import CATALOGUE, SOON, Catalogues
from .comfy import WIRES
from .editor import Editor, sign_in
from .guard import add_headers, admit, refuse_errors
from .health import METRICS
from .metrics import Metrics
from .openapi import ROUTES
from .queueing import JobView, found, view
from .routing import Route, collect
from .site import SITE, Site
from .webhooks import Webhooks

MODULES = (
    catalogue, checks, health, library, opening, openapi, outputs, queueing, results, stream, sweeps, uploads,
    workflows,
)  # fmt: skip


ANY = "(?!(?:zip|size)$)[^/]+"
"""In the place of an id: not `/api/results/zip`, which would also be a result, and take what results take."""


def make_app(site: Site) -> web.Application:
    """The application that serves `site`."""
    metrics = Metrics()
    app = web.Application(middlewares=[refuse_errors(metrics)], client_max_size=site.limits.body)
    app[SITE], app[METRICS], app[CATALOGUE] = site, metrics, Catalogues(site.engine.registry)
    for wire in WIRES:
        for prefix in ("", "/api"):
            _add(app, wire.method, prefix + wire.path, wire.handler(site), endless=wire.path == "/ws")
    app[ROUTES] = collect(MODULES)
    for route in app[ROUTES]:
        path = route.path.replace("{id}", f"{{id:{ANY}}}")
        _add(app, route.method, path, _handler(site, route), endless=route.gives == "text/event-stream")
    editor = Editor()
    app.router.add_get("/{name:(?!api/).*}", _editor_handler(site, editor))
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_running)
    return app


def _add(app: web.Application, method: str, path: str, handler: Handler, *, endless: bool) -> None:
    """Have `handler` answer; what may be read may be asked about (HEAD) too, unless its answer never ends."""
    if method == "GET":
        app.router.add_get(path, handler, allow_head=not endless)
    else:
        app.router.add_route(method, path, handler)


def _handler(site: Site, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        await admit(site, route, request)
        return await route(site, request)

    return handle


def _editor_handler(site: Site, editor: Editor) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        site.access.check_host(request.headers.get("Host", ""))
        if not request.match_info["name"] and "token" in request.query and site.access.tokens:
            return sign_in(site, request)
        return editor.response(request.match_info["name"])

    return handle


async def _running(app: web.Application) -> AsyncIterator[None]:
    """The dispatcher with its workers, and webhooks, for as long as the application runs."""
    site = app[SITE]
    webhooks = Webhooks(site.private_webhooks)

    def tell(job: Job) -> None:
        if job.webhook is not None:
            body = JobView.__pydantic_serializer__.to_json(view(found(site, job.id)))
            webhooks.send(job, body, site.store.queue.notified)

    asyncio.get_running_loop().call_later(SOON, app[CATALOGUE].make)
    site.dispatcher.on_end = tell
    await site.dispatcher.start()
    for job in site.store.queue.to_notify():
        tell(job)
    yield
    await webhooks.close()
    await site.dispatcher.close()
    site.engine.close()
    site.store.close()
