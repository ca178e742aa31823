"""A route of ComfyUI's: more lenient than ours in what it takes, as its clients need it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ..access import Scope
from ..errors import Refused
from ..site import Site

Answer = Callable[[Site, web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Wire:
    """A method and path, what a token must allow, and what answers."""

    method: str
    path: str
    scope: Scope
    answer: Answer
    same: Wire | None = None

    @property
    def all(self) -> Iterator[Wire]:
        """It, and the other paths that are answered alike."""
        yield self
        if self.same is not None:
            yield from self.same.all

    def handler(self, site: Site) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """What aiohttp calls: lets a request through and turns what is refused into ComfyUI's shape."""

        async def handle(request: web.Request) -> web.StreamResponse:
            access, headers = site.access, request.headers
            host = headers.get("Host", "")
            try:
                access.check_host(host)
                # A script says no content type, so what keeps other sites' pages out is the origin alone
                access.check_origin(headers.get("Origin"), headers.get("Sec-Fetch-Site"), host, request.method)
                access.check_token(
                    request.remote or "", headers.get("Authorization"), headers.get("Cookie"), self.scope
                )
                return await self.answer(site, request)
            except Refused as error:
                return failure(error.status, error.code, str(error))
            except RecursionError:
                return failure(400, "invalid_json", "the values of the body are nested too deeply")

        return handle


def wire(method: str, path: str, scope: Scope = "view") -> Callable[[Answer | Wire], Wire]:
    """Declare a route; it is served at `path` and at `/api` + `path`. Several are declared above each other."""

    def declare(answer: Answer | Wire) -> Wire:
        if isinstance(answer, Wire):
            return Wire(method, path, scope, answer.answer, answer)
        return Wire(method, path, scope, answer)

    return declare


def failure(status: int, type: str, message: str, details: str = "", nodes: Any = None) -> web.Response:
    """An error as ComfyUI's clients show it."""
    error = {"type": type, "message": message, "details": details, "extra_info": {}}
    return web.json_response({"error": error, "node_errors": {} if nodes is None else nodes}, status=status)


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object that a request holds, whatever it says it is; an empty one for none."""
    data = await request.read()
    if not data:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "invalid_json", f"the body is no JSON that can be read: {error}") from None
    if not isinstance(found, dict):
        raise Refused(400, "invalid_json", f"the body needs to be an object, not a {type(found).__name__}")
    return found


def strings(value: Any) -> Iterable[str]:
    """The texts in a list, for ids that a client names."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
