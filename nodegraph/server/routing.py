"""One declaration for each route: a typed function.

Its path, the parameters of that, the query and the body are read from its signature, checked by pydantic before it is
called, and described by the OpenAPI document, so neither can say something else than the other::

    @get("/api/jobs/{id}")
    async def read(site: Site, id: JobId) -> JobView:
        '''A job with the state of its nodes.'''
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType, UnionType
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..problems import shown
from .errors import Refused, bad_request

if typing.TYPE_CHECKING:
    from .site import Site

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]
Scope = Literal["open", "view", "run", "admin"]
REQUIRED: Any = inspect.Parameter.empty
UNIONS = (typing.Union, UnionType)


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """An answer with another status or more headers than the route's own."""

    value: T
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path or of the query."""

    name: str
    adapter: TypeAdapter[Any]
    default: Any = REQUIRED


class Signature(NamedTuple):
    """What a route's function takes and gives."""

    path: tuple[Parameter, ...]
    query: tuple[Parameter, ...]
    body: TypeAdapter[Any] | None
    body_required: bool
    request: bool
    answer: TypeAdapter[Any] | None


@dataclass(frozen=True)
class Route:
    """What a client may ask for, and what answers.

    Attributes:
        scope: What a token must allow. "open" asks for none.
        accepts: Media types of a body that the handler reads itself, in the place of JSON if it takes that too.
        gives: Media type of an answer that the handler writes itself, in the place of JSON if it gives that too.
        also: Further statuses of an answer that is no refusal.
    """

    method: str
    path: str
    scope: Scope
    status: int
    handler: Handler
    accepts: tuple[str, ...]
    gives: str
    also: tuple[int, ...]

    @cached_property
    def signature(self) -> Signature:
        """Read when it is first needed: those of all routes together would hold up the start."""
        hints = typing.get_type_hints(self.handler, include_extras=True)
        in_path = re.findall(r"{(\w+)}", self.path)
        path: list[Parameter] = []
        query: list[Parameter] = []
        body: TypeAdapter[Any] | None = None
        body_required, request = True, False
        for parameter in list(inspect.signature(self.handler).parameters.values())[1:]:
            name = parameter.name
            if name == "request":
                request = True
            elif name == "body":
                body = TypeAdapter(_given(hints["body"]))
                body_required = parameter.default is REQUIRED or bool(self.accepts)
            else:
                made = Parameter(name, TypeAdapter(hints[name]), parameter.default)
                (path if name in in_path else query).append(made)
        return Signature(tuple(path), tuple(query), body, body_required, request, _answer(hints.get("return")))

    async def __call__(self, site: Site, request: web.Request) -> web.StreamResponse:
        given: dict[str, Any] = {}
        takes = self.signature
        for parameter in takes.path:
            given[parameter.name] = _read(parameter, request.match_info[parameter.name], 404)
        for parameter in takes.query:
            if parameter.name in request.query:
                given[parameter.name] = _read(parameter, request.query[parameter.name], 400)
            elif parameter.default is REQUIRED:
                raise Refused(400, "missing_parameter", f"needs the parameter {parameter.name!r}")
        if unknown := set(request.query) - {p.name for p in takes.query}:
            listed = ", ".join(p.name for p in takes.query) or "none"
            raise Refused(400, "unknown_parameter", f"knows no parameter {min(unknown)!r}; it knows: {listed}")
        if takes.body is not None and request.content_type not in self.accepts:
            data = await request.read()
            if data or takes.body_required:
                self._check_json(request)
                try:
                    given["body"] = takes.body.validate_json(data)
                except ValidationError as error:
                    raise bad_request(error) from None
        if takes.request:
            given["request"] = request
        made = await self.handler(site, **given)
        if isinstance(made, web.StreamResponse):
            return made
        reply = made if isinstance(made, Reply) else Reply(made, self.status)
        if takes.answer is None:
            return web.Response(status=reply.status, headers=reply.headers)
        body = takes.answer.dump_json(reply.value, by_alias=True)
        return web.Response(body=body, status=reply.status, content_type="application/json", headers=reply.headers)

    def _check_json(self, request: web.Request) -> None:
        # A cross-site form can send any of the simple types, but not this one without being asked about it first.
        if request.content_type != "application/json":
            known = " or ".join(("application/json", *self.accepts))
            message = f"needs a body of type {known}, but {request.content_type!r} is given"
            raise Refused(415, "wrong_media_type", message)


def _read(parameter: Parameter, text: str, status: int) -> Any:
    try:
        return parameter.adapter.validate_strings(text)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        code = "not_found" if status == 404 else "bad_parameter"
        raise Refused(
            status, code, f"{parameter.name}: {said[0].lower()}{said[1:]}, but {shown(text)} is given"
        ) from None


def route(
    method: str, path: str, *, scope: Scope, status: int = 200, accepts: tuple[str, ...] = (), gives: str = "",
    also: tuple[int, ...] = (),
) -> Callable[[Handler], Route]:  # fmt: skip
    """Declare a route. The function takes the site, then `request`, `body`, parts of the path, and the query."""

    def declare(fn: Handler) -> Route:
        return Route(method, path, scope, status, fn, accepts, gives, also)

    return declare


def _given(hint: Any) -> Any:
    """The type of a body that is given, where the hint says that there may be none."""
    return next((h for h in typing.get_args(hint) if h is not type(None)), hint) if _is_optional(hint) else hint


def _is_optional(hint: Any) -> bool:
    return typing.get_origin(hint) in UNIONS and type(None) in typing.get_args(hint)


def _answer(hint: Any) -> TypeAdapter[Any] | None:
    if typing.get_origin(hint) in UNIONS:  # the handler may also write an answer itself
        (hint,) = [part for part in typing.get_args(hint) if not _is_response(part)]
    if typing.get_origin(hint) is Reply:
        (hint,) = typing.get_args(hint)
    if hint is type(None) or _is_response(hint):
        return None
    return TypeAdapter(hint)


def _is_response(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, web.StreamResponse)


def get(path: str, *, scope: Scope = "view", gives: str = "") -> Callable[[Handler], Route]:
    return route("GET", path, scope=scope, gives=gives)


def post(
    path: str, *, scope: Scope = "run", status: int = 200, accepts: tuple[str, ...] = (), gives: str = "",
    also: tuple[int, ...] = (),
) -> Callable[[Handler], Route]:  # fmt: skip
    return route("POST", path, scope=scope, status=status, accepts=accepts, gives=gives, also=also)


def collect(modules: Iterable[ModuleType]) -> list[Route]:
    """The routes that modules declare; not those that they import from each other."""
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Route) and value.handler.__module__ == module.__name__
    ]


class Closed(BaseModel):
    """What a client sends: nothing that is not known, and no 1 for true."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class View(BaseModel):
    """What a client is given."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True, defer_build=True)
