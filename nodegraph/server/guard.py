"""What every request passes before its handler, and every answer after it."""

from __future__ import annotations

import logging
import time

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from ..problems import InvalidWorkflow
from .errors import Refused, invalid, refusal
from .metrics import Metrics
from .routing import Route
from .site import Site

log = logging.getLogger("nodegraph.server")

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
COMPRESSED = 1024
"""Bytes from which JSON is compressed."""


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """To every answer, also to those that aiohttp makes itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)


def refuse_errors(metrics: Metrics) -> Middleware:
    """Whatever goes wrong is answered as JSON; what should not have is logged with its traceback."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        response: web.StreamResponse
        try:
            response = await handler(request)
        except Refused as error:
            response = error.response()
        except InvalidWorkflow as error:
            response = invalid(error).response()
        except web.HTTPRequestEntityTooLarge:
            response = refusal(413, "too_large", "the body is larger than this server takes")
        except web.HTTPNotFound:
            response = refusal(
                404, "not_found", "there is nothing at this address; /api/openapi.json lists what there is"
            )
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            response = refusal(405, "wrong_method", f"this address takes {allowed}, not {error.method}")
            response.headers["Allow"] = allowed
        except HttpProcessingError as error:  # of a part of a form
            response = refusal(400, "bad_request", f"the form cannot be read: {error.message.splitlines()[0]}")
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = refusal(error.status, "bad_request", error.reason)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = refusal(500, "internal", "the server failed to answer; its log says why")
        path = getattr(request.match_info.route.resource, "canonical", None) or "other"
        metrics.answered(request.method, path, response.status, time.perf_counter() - began)
        if isinstance(response, web.Response) and response.body is not None and _compresses(response):
            response.enable_compression()
        return response

    return middleware


def _compresses(response: web.Response) -> bool:
    if "Content-Encoding" in response.headers:
        return False
    size = len(response.body) if isinstance(response.body, bytes) else 0
    return size >= COMPRESSED and response.content_type in ("application/json", "text/plain")


async def admit(site: Site, route: Route, request: web.Request) -> None:
    """Let a request through to its handler, or raise `Refused`."""
    access, headers = site.access, request.headers
    host = headers.get("Host", "")
    access.check_host(host)
    access.check_origin(headers.get("Origin"), headers.get("Sec-Fetch-Site"), host, request.method)
    if route.scope != "open":
        access.check_token(request.remote or "", headers.get("Authorization"), headers.get("Cookie"), route.scope)
