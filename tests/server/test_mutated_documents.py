"""Documents that were broken in every way: always problems, never a crash."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.service import Service, toys
from server.test_openapi import JSON
from toy import TXT2IMG

SOURCES: list[dict[str, Any]] = [
    json.loads(path.read_text()) for path in sorted((Path(__file__).parents[2] / "workflows").glob("*.json"))
]
SOURCES.append({"nodes": toys(TXT2IMG), "outputs": {"image": {"$from": "decode.image"}}})
NAMES = st.sampled_from(
    ["model", "sample", "image", "a.b", "sample.latent", "$from", "#x", "Sample@1", "Sample@999", "nodes"]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, item in inner for p in places(item, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An example with some of its values replaced, removed, doubled or renamed."""
    document = copy.deepcopy(draw(st.sampled_from(SOURCES)))
    document.pop("layout", None)
    for _ in range(draw(st.integers(1, 3))):
        found = [path for path in places(document) if path]
        deep = [path for path in found if len(path) >= 4]  # values of inputs, links, and what lies in definitions
        if not found:
            return document
        narrow = bool(deep) and draw(st.booleans())
        path = draw(st.sampled_from(deep if narrow else found))
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        match draw(st.integers(0, 4)):
            case 0:
                del holder[path[-1]]
            case 1:
                holder[path[-1]] = draw(NAMES)
            case 2 if isinstance(holder, dict):
                holder[draw(NAMES)] = holder[path[-1]]
            case 3:
                source = draw(st.sampled_from(places(document)))
                other: Any = document
                for key in source:
                    other = other[key]
                holder[path[-1]] = copy.deepcopy(other)
            case _:
                holder[path[-1]] = draw(JSON)
    return document


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=mutated(), inputs=st.dictionaries(NAMES | st.text(max_size=8), JSON, max_size=2))
@example(document={"nodes": {"a": {"type": {}}}}, inputs={})
def test_check_and_submit_agree(paused: Service, document: Any, inputs: dict[str, Any]) -> None:
    body = {"document": document, "inputs": inputs}
    checked = paused.post("/api/check", {**body, "plan": True})
    assert checked.status in (200, 400), checked.body
    refused = paused.post("/api/jobs?wait=false", {**body, "key": None})
    if checked.status == 200 and checked.json["problems"]:
        if refused.status == 201:  # what is wrong lies in nodes that nothing needs
            paused.post(f"/api/jobs/{refused.json['id']}/cancel")
            return
        assert refused.status == 422, refused.body
        assert all(p["code"] and p["message"] for p in refused.json["error"]["problems"])
    elif refused.status == 201:
        paused.post(f"/api/jobs/{refused.json['id']}/cancel")
    else:
        assert refused.status in (400, 422), refused.body
