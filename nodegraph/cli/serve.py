"""`nodegraph serve`: jobs, gallery and editor over HTTP."""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from .console import fail
from .models import previews_folder
from .setup import common, model_folders, registry

PORT = 8288


def add_to(commands: Any) -> None:
    parser = commands.add_parser("serve", help="serve jobs, gallery and editor over HTTP")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=int, default=PORT, help=f"port to listen on (default: {PORT}; 0: a free one)")
    parser.add_argument("--workers", type=int, help="worker processes (default: one for each device)")
    parser.add_argument("--ray", metavar="ADDRESS",
                        help="have the devices of a Ray cluster do the jobs (its address, or: auto)")  # fmt: skip
    parser.add_argument("--data", metavar="DIR", help="where jobs, results and uploads are kept")
    parser.add_argument("--token-file", metavar="FILE", help="ask for the tokens in this file, made if not there")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="also answer to this name")
    parser.add_argument("--private-webhooks", action="store_true", help="let webhooks reach addresses of this network")
    parser.add_argument("--safety", choices=("flag", "blur", "withhold"),
                        help="look for explicit pictures, and do this to them before they leave")  # fmt: skip
    parser.add_argument("--models", action="append", default=[], metavar="DIR", help="look for models here first")
    parser.add_argument("--cache", metavar="DIR", help="keep node outputs here instead of in the data folder")
    parser.add_argument("--checkpoint", type=float, default=5.0, metavar="SECONDS",
                        help="keep how far a long node has come this often (default: 5)")  # fmt: skip
    parser.add_argument("--log-json", action="store_true", help="write the log as JSON lines")
    common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import asyncio

    from ..jobs import Settings
    from ..jobs.store import FolderInUse
    from ..server.serving import CannotListen, Options, Unprotected, make_site, serve

    if options.workers is not None and not 1 <= options.workers <= 64:
        raise ValueError(f"--workers {options.workers}: needs 1 to 64")
    if not 0 <= options.port < 2**16:
        raise ValueError(f"--port {options.port}: needs 0 to 65535")
    if not 0 <= options.checkpoint < float("inf"):
        raise ValueError(f"--checkpoint {options.checkpoint:g}: needs seconds, 0 or more")
    if options.ray is not None:
        _prepare_ray(options)
    start_log(options.log_json)
    settings = Settings(
        workers=options.workers,
        packs=tuple(Path(file) for file in options.pack),
        models=model_folders(options),
        checkpoint=options.checkpoint,
        safety=options.safety,
        ray=options.ray,
        cache=Path(options.cache).expanduser().absolute() if options.cache else None,
    )
    chosen = Options(
        data=data_folder(options),
        host=options.host,
        port=options.port,
        tokens=Path(options.token_file).expanduser() if options.token_file else None,
        hosts=frozenset(name.lower() for name in options.allow_host),
        private_webhooks=options.private_webhooks,
        previews=previews_folder(),
        settings=settings,
    )
    try:
        site = make_site(chosen, registry(options))
    except (FolderInUse, Unprotected) as error:
        return fail(str(error))
    if site.access.tokens:
        shown = chosen.tokens or chosen.data / "tokens.json"
        print(f"tokens are in {shown}; open the editor with /?token=...", file=sys.stderr)
    try:
        asyncio.run(serve(site, chosen, lambda address: print(address, flush=True)))
    except CannotListen as error:
        return fail(str(error))
    return 0


def _prepare_ray(options: argparse.Namespace) -> None:
    """Raises `ValueError` for what cannot be done with a cluster."""
    if options.workers is not None:
        raise ValueError("--workers is for this machine alone; with --ray there is one for each device of the cluster")
    if not re.fullmatch(r"auto|[\w.\-]+:\d{1,5}", options.ray):
        message = "needs the address of a cluster's head, such as 10.0.0.1:6379, or: auto"
        raise ValueError(f"--ray {options.ray!r}: {message}")
    if importlib.util.find_spec("ray") is None:
        raise ValueError("--ray needs the extra 'ray'; install it with: pip install 'nodegraph[ray]'")
    os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")  # it takes an orderly SIGTERM for a crash


def data_folder(options: argparse.Namespace) -> Path:
    import platformdirs

    if options.data:
        return Path(options.data).expanduser().absolute()
    return platformdirs.user_data_path("nodegraph", appauthor=False) / "server"


def start_log(as_json: bool) -> None:
    """Log to standard error: for people, or one JSON object a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.getLogger().addHandler(handler)  # for what libraries say too
    logging.getLogger("nodegraph").setLevel(logging.INFO)


class JsonLines(logging.Formatter):
    """One object for each record."""

    def format(self, record: logging.LogRecord) -> str:
        made = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            made["traceback"] = self.formatException(record.exc_info)
        return json.dumps(made)
