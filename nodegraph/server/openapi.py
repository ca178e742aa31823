"""The OpenAPI 3.1 document, from the declarations that the handlers themselves are called by."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter

from .. import __version__
from .routing import REQUIRED, Parameter, Route, get
from .site import Site
from .workflows import WorkflowView, list_workflows

ROUTES: web.AppKey[Iterable[Route]] = web.AppKey("routes")
REFERENCE = "#/components/schemas/{model}"
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "Stable name of the reason."},
                "message": {"type": "string"},
                "problems": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemView"}},
            },
        }
    },
}
TAGS: Mapping[str, str] = {
    "jobs": "The queue", "sweeps": "The queue", "queue": "The queue", "workers": "The queue", "events": "The queue",
    "nodes": "The catalogue",
    "types": "The catalogue", "choices": "The catalogue", "check": "The catalogue", "results": "Results",
    "uploads": "Files", "open": "Files", "workflows": "Workflows", "w": "Workflows",
}  # fmt: skip


@get("/api/openapi.json", gives="application/json")
async def openapi(site: Site, request: web.Request) -> web.Response:
    """This description."""
    workflows = (await list_workflows.handler(site)).workflows
    return web.json_response(describe(request.app[ROUTES], workflows))


def describe(routes: Iterable[Route], workflows: Iterable[WorkflowView] = ()) -> dict[str, Any]:
    """The document: every route, and an entry for each workflow under `/api/w/`."""
    schemas: dict[str, Any] = {"Error": ERROR}
    paths: dict[str, dict[str, Any]] = {}
    listed = list(routes)
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    call = next(r for r in listed if r.path == "/api/w/{name}")
    for workflow in workflows:
        paths[f"/api/w/{workflow.name}"] = {"post": _workflow_operation(call, workflow, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nodegraph",
            "version": __version__,
            "description": "Typed node graphs for latent-diffusion images, as jobs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    takes = route.signature
    summary, _, description = (inspect.getdoc(route.handler) or "").partition("\n\n")
    made: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": summary.replace("\n", " "),
        "tags": [TAGS.get(route.path.split("/")[2], "Operation") if route.path.count("/") > 1 else "Operation"],
    }
    if description:
        made["description"] = description
    if route.scope != "open":
        made["x-scope"] = route.scope
    parameters = [_parameter(p, "path", schemas) for p in takes.path]
    parameters += [_parameter(p, "query", schemas) for p in takes.query]
    if parameters:
        made["parameters"] = parameters
    if takes.body is not None or route.accepts:
        content = {kind: _raw(kind) for kind in route.accepts}
        if takes.body is not None:
            content = {"application/json": {"schema": _schema(takes.body, schemas, "validation")}, **content}
        made["requestBody"] = {"required": takes.body is None or takes.body_required, "content": content}
    made["responses"] = _responses(route, schemas)
    return made


def _raw(kind: str) -> dict[str, Any]:
    if kind != "multipart/form-data":
        return {"schema": {"type": "string", "contentMediaType": kind}}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {"schema": {"type": "object", "required": ["file"], "properties": {"file": file}}}


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    answer = route.signature.answer
    if answer is not None:
        content["application/json"] = {"schema": _schema(answer, schemas, "serialization")}
    if route.gives:
        content[route.gives] = {}
    good = {"description": "Done.", **({"content": content} if content else {})}
    made = {str(route.status): good}
    made |= dict.fromkeys(map(str, route.also), good)
    refused = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": REFERENCE.format(model="Error")}}},
    }
    return {**made, "4XX": refused, "5XX": refused}


def _parameter(parameter: Parameter, where: str, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = _schema(parameter.adapter, schemas, "validation")
    if isinstance(schema.get("anyOf"), list):  # of "a value or none", none is said by leaving it out
        options = [s for s in schema["anyOf"] if s != {"type": "null"}]
        schema = options[0] if len(options) == 1 else {"anyOf": options}
    if parameter.default is not REQUIRED and parameter.default is not None:
        schema = {**schema, "default": parameter.default}
    return {"name": parameter.name, "in": where, "required": where == "path", "schema": schema}


def _schema(adapter: TypeAdapter[Any], schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    made = adapter.json_schema(ref_template=REFERENCE, mode=mode)
    schemas.update(made.pop("$defs", {}))
    if (title := made.get("title")) and made.get("type") == "object" and re.fullmatch(r"[A-Z]\w*", title):
        schemas[title] = made
        return {"$ref": REFERENCE.format(model=title)}
    return made


def _workflow_operation(call: Route, workflow: WorkflowView, schemas: dict[str, Any]) -> dict[str, Any]:
    properties = {
        item.name: {**item.schema_, "title": item.title, **({} if item.value is None else {"default": item.value})}
        for item in workflow.inputs
    }
    body = {"type": "object", "properties": properties, "additionalProperties": False}
    return {
        "operationId": f"call_{re.sub(r'[^a-z0-9]', '_', workflow.name)}",
        "summary": workflow.title,
        "description": workflow.description,
        "tags": ["Workflows"],
        "x-scope": call.scope,
        "requestBody": {"required": False, "content": {"application/json": {"schema": body}}},
        "responses": _responses(call, schemas),
    }
