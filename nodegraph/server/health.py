"""For those who watch the server: is it alive, and what does it do."""

from __future__ import annotations

from typing import Literal, get_args

from aiohttp import web

from .. import __version__
from ..jobs import State
from .metrics import TYPE, Metrics, gauge, process_families, text
from .routing import View, get
from .site import Site

METRICS: web.AppKey[Metrics] = web.AppKey("metrics")


class Health(View):
    status: Literal["ok"]
    version: str


@get("/healthz", scope="open")
async def health(site: Site) -> Health:
    """Whether the server answers."""
    return Health(status="ok", version=__version__)


@get("/metrics", gives="text/plain")
async def metrics(site: Site, request: web.Request) -> web.Response:
    """Numbers for Prometheus."""
    queue, dispatcher = site.store.queue, site.dispatcher
    deaths = sum(worker.deaths for worker in dispatcher.workers)
    states: tuple[State, ...] = get_args(State)
    families = [
        gauge("nodegraph_jobs", "Jobs by state.", [({"state": s}, float(queue.count(s))) for s in states]),
        gauge("nodegraph_queue_paused", "Whether no job begins.", [({}, float(site.store.paused))]),
        gauge("nodegraph_workers", "Worker processes.", [({"state": s}, float(n)) for s, n in _workers(site).items()]),
        gauge("nodegraph_worker_deaths", "Worker processes that died.", [({}, float(deaths))]),
        gauge("nodegraph_event_readers", "Clients that follow the events.", [({}, float(len(dispatcher.hub)))]),
        gauge("nodegraph_last_event", "Number of the latest event.", [({}, float(site.store.journal.last))]),
    ]
    made = text([*families, *request.app[METRICS].families(), *process_families(site.started)])
    return web.Response(body=made.encode(), headers={"Content-Type": TYPE})


def _workers(site: Site) -> dict[str, int]:
    busy = sum(w.job is not None for w in site.dispatcher.workers)
    ready = sum(w.ready for w in site.dispatcher.workers)
    return {"busy": busy, "idle": max(0, ready - busy), "starting": len(site.dispatcher.workers) - ready}
