"""What a node of a job gave, without a node that shows it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, JsonValue

from ..expand import expand
from ..policy import Policy
from ..problems import InvalidWorkflow
from .errors import Refused, not_found
from .queueing import JobId, found
from .routing import get
from .site import Site

NodeId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}(/[a-z][a-z0-9_]{0,99}){0,40}$")]
Port = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
Index = Annotated[int, Field(ge=0, le=100_000)]


@get("/api/jobs/{id}/outputs/{node}/{port}", gives="image/png")
async def read_output(site: Site, id: JobId, node: NodeId, port: Port, index: Index | None = None) -> web.Response:
    """An output of a node: a picture as PNG, anything else as JSON.

    Of a batch, `index` chooses one picture; without it they lie beside each other. The header `Nodegraph-Count` says
    how many there are.
    """
    job = found(site, id)
    document = site.store.queue.document(id)
    assert document is not None
    raw = json.loads(document)
    policy = site.documents.policy
    outputs = await asyncio.to_thread(_recall, site, raw, node)
    if outputs is None and await site.dispatcher.keep(document, node):
        outputs = await asyncio.to_thread(_recall, site, raw, node)
    if outputs is None:
        reason = "it was not kept: it runs anew each time, took next to no time, or had to make room"
        raise Refused(404, "not_kept", f"{node!r} of this job ({job.state}) has no output here; {reason}")
    if port not in outputs:
        raise not_found("output", f"{node}.{port}")
    if policy is not None and policy.strict and _shows(outputs[port]) and not _passed(policy, site, raw, node):
        message = f"pictures leave this server only behind its {policy.type.partition('@')[0]}"
        raise Refused(403, "policy", f"{message}, which {node!r} is not; look at what was saved")
    return await asyncio.to_thread(_response, outputs[port], index)


def _passed(policy: Policy, site: Site, raw: Any, node: str) -> bool:
    """Whether pictures of a node have passed the policy; of one inside a definition, `node` reads `instance/node`."""
    return policy.passed(expand(site.engine.read(raw)).steps[node])


def _shows(value: Any) -> bool:
    return any(hasattr(item, "_repr_png_") for item in (value if isinstance(value, list) else [value]))


def _recall(site: Site, raw: Any, node: str) -> Any:
    try:
        return site.engine.recall(site.engine.read(raw), node)
    except InvalidWorkflow:
        raise not_found("node", node) from None


def _response(value: Any, index: int | None) -> web.Response:
    items = value if isinstance(value, list) else [value]
    if items and all(hasattr(item, "_repr_png_") for item in items):
        pictures = [picture for item in items for picture in _pictures(item)]
        headers = {"Nodegraph-Count": str(len(pictures)), "Cache-Control": "private, max-age=31536000, immutable"}
        if index is None and len(items) == 1:
            return web.Response(body=items[0]._repr_png_(), content_type="image/png", headers=headers)
        if index is not None and index >= len(pictures):
            raise not_found("picture", str(index))
        return web.Response(body=pictures[index or 0]._repr_png_(), content_type="image/png", headers=headers)
    return web.json_response(_plain(value), headers={"Nodegraph-Count": str(len(items))})


def _pictures(value: Any) -> list[Any]:
    """The pictures of a batch, each as a batch of one. The first dimension of an array is the batch."""
    arrays = {
        f.name: a for f in dataclasses.fields(value) if hasattr(a := getattr(value, f.name), "shape") and len(a.shape)
    }
    count = max((len(a) for a in arrays.values()), default=1)
    return [dataclasses.replace(value, **{n: a[i : i + 1] for n, a in arrays.items()}) for i in range(count)]


def _plain(value: Any) -> JsonValue:
    """A value for people and programs: an array only as its type and shape, a path as its name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, float) or abs(value) < float("inf") else str(value)
    if hasattr(value, "shape"):
        return {"dtype": str(value.dtype), "shape": list(value.shape)}
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Path):
        return value.name
    return str(type(value).__name__)
