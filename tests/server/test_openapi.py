"""The OpenAPI document is valid, complete and true of what the server answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodegraph.server.app import MODULES
from nodegraph.server.openapi import describe
from nodegraph.server.routing import collect
from server.service import Service

DOCUMENT = describe(collect(MODULES))
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for v in value.values() for r in references(v)]
    return [r for v in value for r in references(v)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in DOCUMENT["components"]["schemas"], reference


def test_operations_have_names_of_their_own_and_say_what_they_do() -> None:
    operations = [DOCUMENT["paths"][path][method] for path, method in OPERATIONS]
    names = [o["operationId"] for o in operations]
    assert len(set(names)) == len(names)
    assert all(o["summary"].endswith(".") for o in operations)


def test_the_server_serves_it_with_an_entry_for_each_workflow(service: Service) -> None:
    served = service.get("/api/openapi.json").json
    assert served["openapi"] == "3.1.0"
    assert set(DOCUMENT["paths"]) <= set(served["paths"])
    body = served["paths"]["/api/w/txt2img"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["seed"]["type"] == "integer"
    saved = service.get("/api/workflows/txt2img").json["document"]["nodes"]["sample"]["inputs"]["seed"]
    assert body["properties"]["seed"]["default"] == saved


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_described_is_answered_as_described(service: Service, path: str, method: str) -> None:
    """With plain parameters no operation is unknown, and the status is one that is listed."""
    if path == "/api/events":
        return  # never ends; followed in test_jobs_api
    operation = DOCUMENT["paths"][path][method]
    filled = path.format(id="0" * 16, name="nothing", node="a", port="b")
    answer = service.ask(method.upper(), filled, {} if "requestBody" in operation else None)
    assert str(answer.status) in operation["responses"] or f"{answer.status // 100}XX" in operation["responses"]
    assert answer.status not in (405, 500)
    if answer.status >= 400:
        assert set(answer.json) == {"error"}
        assert answer.json["error"]["message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of about the shape a schema asks for, and others."""
    if "$ref" in schema:
        return values(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of(*map(values, schema["anyOf"]), JSON)
    match schema.get("type"):
        case "object" if "properties" in schema:
            fields = {name: values(item) for name, item in schema["properties"].items()}
            needed = {n: s for n, s in fields.items() if n in schema.get("required", ())}
            rest = {n: s for n, s in fields.items() if n not in needed}
            return st.fixed_dictionaries(needed, optional=rest) | JSON
        case "array":
            return st.lists(values(schema.get("items", {})), max_size=3) | JSON
        case "integer" | "number":
            return st.integers(-3, 600) | st.floats() | JSON
        case "boolean":
            return st.booleans() | JSON
        case "string":
            return st.sampled_from(["0" * 16, "txt2img", "a", ""]) | st.text(max_size=30) | JSON
    return JSON


BODIES = [
    (path, method, content["application/json"]["schema"])
    for path, method in OPERATIONS
    if "application/json" in (content := DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {}))
    and not path.startswith("/api/queue")
]


@pytest.mark.parametrize(("path", "method", "schema"), BODIES, ids=[f"{m} {p}" for p, m, _ in BODIES])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_is_answered_with_a_500(
    service: Service, path: str, method: str, schema: dict[str, Any], data: st.DataObject
) -> None:
    body = json.dumps(data.draw(values(schema))).encode()
    filled = path.format(id="0" * 16, name="nothing", node="a", port="b")
    answer = service.ask(method.upper(), filled, body, {"Content-Type": "application/json"})
    assert answer.status < 500, answer.body


@pytest.mark.timeout(900)
def test_schemathesis_finds_nothing(paused: Service, tmp_path: Path) -> None:
    """It reads the document that is served, and makes up requests that keep to it and that do not.

    Left out are the stream that never ends, what waits for the end of a job (none begins here), what lets them begin,
    and the address that ComfyUI's clients post to as well, which is described elsewhere. That a request which keeps to
    the document is not refused cannot be asked for: a schema does not say which workflows can run.
    """
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run",
        f"http://{paused.host}:{paused.port}/api/openapi.json",
        "--phases=coverage,fuzzing", "--max-examples=5", "--generation-deterministic",
        "--exclude-checks=positive_data_acceptance", "--exclude-path=/api/events", "--exclude-path=/api/queue/resume",
        "--exclude-path=/api/queue", "--exclude-path-regex=^/api/w/", "--request-timeout=60",
        "--suppress-health-check=all", "--warnings=off", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(\d{3,}) generated, \1 passed", done.stdout), done.stdout


QUERIES = [
    (p, m) for p, m in OPERATIONS if any(i["in"] == "query" for i in DOCUMENT["paths"][p][m].get("parameters", ()))
]


@pytest.mark.parametrize(("path", "method"), [(p, m) for p, m in QUERIES if p != "/api/events"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_query_is_answered_with_a_500(service: Service, path: str, method: str, data: st.DataObject) -> None:
    parameters = [p for p in DOCUMENT["paths"][path][method]["parameters"] if p["in"] == "query"]
    text = (
        st.integers().map(str) | st.floats().map(str) | st.sampled_from(["true", "", "0" * 16]) | st.text(max_size=20)
    )
    query = {p["name"]: data.draw(text) for p in parameters if data.draw(st.booleans()) and p["name"] != "wait"}
    filled = path.format(id="0" * 16, name="nothing", node="a", port="b")
    encoded = urlencode({k: v.encode(errors="replace") for k, v in query.items()})
    answer = service.ask(method.upper(), f"{filled}?{encoded}", {} if method == "post" else None)
    assert answer.status < 500, answer.body
