"""From options to a running server, and its orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiohttp import web

from ..context import Folders
from ..engine import Engine
from ..garbage import collect_rarely
from ..jobs import Dispatcher, Settings, Store
from ..jobs.documents import Documents
from ..library import Previews
from ..pack import Registry
from ..policy import safety_policy
from .access import Access, Unprotected, is_loopback, tokens_from
from .app import make_app
from .site import Limits, Site
from .templates import folder, load

log = logging.getLogger("nodegraph.server")


class CannotListen(RuntimeError):
    """The address is in use, or none of this machine's."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is told at its start.

    Attributes:
        tokens: The file of tokens. By default the one in the data folder, which any address but loopback needs.
        hosts: Names by which the server may be called, beside localhost.
        previews: The folder of the pictures that models made; by default one in the data folder.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8288
    tokens: Path | None = None
    hosts: frozenset[str] = frozenset()
    private_webhooks: bool = False
    previews: Path | None = None
    settings: Settings = field(default_factory=Settings)
    limits: Limits = field(default_factory=Limits)


def make_site(options: Options, registry: Registry) -> Site:
    """Open the data folder.

    Raises:
        Unprotected: The address can be reached by others, and there is no token that keeps them out.
        FolderInUse: Another server has it.
        ValueError: Pictures are to be checked, and no installed pack can.
    """
    examples = folder()
    settings = replace(options.settings, examples=examples)
    policy = safety_policy(registry, settings.safety)
    file = options.tokens or (None if is_loopback(options.host) else options.data / "tokens.json")
    access = Access({} if file is None else tokens_from(file), options.hosts)
    store = Store(options.data)
    folders = Folders(base=store.uploads, output=store.results, models=settings.models)
    engine = Engine(registry, folders=folders, cache=settings.cache or store.cache, disk=settings.disk)
    documents = Documents(engine, store.uploads, examples, policy)
    return Site(
        store, Dispatcher(store, settings), engine, documents, load(examples), access,
        Previews(options.previews or options.data / "previews"), options.limits,
        private_webhooks=options.private_webhooks,
    )  # fmt: skip


async def serve(site: Site, options: Options, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready(address)` is called when requests are answered. Raises `CannotListen`."""
    runner = web.AppRunner(make_app(site), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await _listen(runner, options.host, options.port)
        port = runner.addresses[0][1]
        shown = f"[{options.host}]" if ":" in options.host else options.host
        ready(f"http://{shown}:{port}")
        collect_rarely()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        log.info("stopping; running jobs save their state and go on at the next start")
        site.dispatcher.hub.close()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        message = f"cannot listen on {host!r}, port {port}: {reason}; choose others with --host and --port"
        raise CannotListen(message) from error


__all__ = ["CannotListen", "Options", "Unprotected", "make_site", "serve"]
