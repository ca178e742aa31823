"""What the handlers share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aiohttp import web

from ..engine import Engine
from ..jobs import Dispatcher, Store
from ..jobs.documents import Documents
from ..library import Previews
from .access import Access
from .templates import Template

SITE: web.AppKey[Site] = web.AppKey("site")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, and one client, may ask for.

    Attributes:
        body: Bytes of a JSON body.
        upload: Bytes of a picture.
        pending: Jobs of one client that wait, and in all ten times as many.
    """

    body: int = 8 * 2**20
    upload: int = 64 * 2**20
    pending: int = 1000


@dataclass(slots=True)
class Site:
    """One service.

    Attributes:
        engine: Checks and plans documents, and reads the cache on disk. It runs nothing.
    """

    store: Store
    dispatcher: Dispatcher
    engine: Engine
    documents: Documents
    templates: dict[str, Template]
    access: Access
    previews: Previews
    limits: Limits = field(default_factory=Limits)
    started: float = field(default_factory=time.time)
    private_webhooks: bool = False
