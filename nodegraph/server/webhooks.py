"""Telling others that a job has ended, without being made to call what only this machine can reach."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ..jobs import Job
from .errors import Refused

log = logging.getLogger("nodegraph.server.webhooks")

TRIES = 5
PAUSE = 2.0
"""Seconds before the second try; each further one waits twice as long."""


class Forbidden(OSError):
    """An address that webhooks must not reach."""


def is_public(address: str) -> bool:
    """Whether an address is on the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(mapped.is_global and not mapped.is_multicast)


def check_webhook(url: str, private: bool) -> None:
    """Raises `Refused` for an address that can be seen to be none of the open internet."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
        raise Refused(400, "bad_webhook", "webhook: needs an address like https://example.com/done, without a password")
    if private:
        return
    try:
        public = is_public(host)
    except ValueError:  # a name: looked up when it is called
        public = host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
    if not public:
        raise Refused(400, "bad_webhook", f"webhook: {host!r} is not on the open internet (see --private-webhooks)")


class PublicResolver(AbstractResolver):
    """Looks names up, and keeps only what is on the open internet. The connection goes to what was looked at here."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = [r for r in await self._inner.resolve(host, port, family) if is_public(r["host"])]
        if not found:
            raise Forbidden(f"{host!r} is not on the open internet")
        return found

    async def close(self) -> None:
        await self._inner.close()


class Webhooks:
    """Delivers until a receiver says 2xx, or after several tries gives up. At least once: a restart tries again."""

    def __init__(self, private: bool) -> None:
        self._private = private
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    def send(self, job: Job, body: bytes, done: Any) -> None:
        """Begin to deliver `body`; `done(job id)` is called when there is no more to try."""
        if job.webhook is None or job.id in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self._deliver(job.webhook, job.id, body, done))
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    async def _deliver(self, url: str, id: str, body: bytes, done: Any) -> None:
        for number in range(TRIES):
            if number:
                await asyncio.sleep(PAUSE * 2 ** (number - 1))
            try:
                check_webhook(url, self._private)
                status = await self._post(url, body)
            except Refused as error:
                log.warning("webhook of job %s: %s", id, error)
                break
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("webhook of job %s, try %d: %s", id, number + 1, type(error).__name__)
                continue
            if 200 <= status < 300:
                break
            log.warning("webhook of job %s, try %d: status %d", id, number + 1, status)
        done(id)

    async def _post(self, url: str, body: bytes) -> int:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=None if self._private else PublicResolver(), use_dns_cache=False)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=15))
        headers = {"Content-Type": "application/json", "User-Agent": "nodegraph"}
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return response.status

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()
