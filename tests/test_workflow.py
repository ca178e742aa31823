from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy
from harness import link, step
from nodegraph import InvalidWorkflow, Workflow
from nodegraph.migrate import load_workflow, read_workflow, upgrade
from test_plan import RENDER
from toy import TXT2IMG

REGISTRY = toy.registry()

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
links = st.builds(lambda a, b: {"$from": f"{a}.{b}"}, names, names)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = scalars | links | st.lists(scalars, max_size=3) | st.lists(links, min_size=1, max_size=3)
types = st.from_regex(r"([a-z][a-z0-9_]{0,5}/)?[A-Z][A-Za-z]{0,8}@[1-9][0-9]{0,2}", fullmatch=True)
steps = st.fixed_dictionaries(
    {"type": types, "inputs": st.dictionaries(names, values, max_size=4)},
    optional={"mode": st.sampled_from(["run", "bypass", "mute"])},
)
points = st.tuples(st.floats(-9, 9), st.floats(-9, 9))
documents = st.fixed_dictionaries(
    {"format": st.just("nodegraph/1"), "nodes": st.dictionaries(names, steps, max_size=5)},
    optional={
        "name": st.text(max_size=20),
        "outputs": st.dictionaries(names, links, max_size=2),
        "layout": st.fixed_dictionaries(
            {"nodes": st.dictionaries(names, points)},
            optional={"reroutes": st.dictionaries(st.text(max_size=8), st.lists(points, max_size=2))},
        ),
    },
)


@given(documents)
def test_a_document_survives_writing_and_reading(raw: dict[str, Any]) -> None:
    workflow = Workflow.model_validate(raw)
    assert Workflow.model_validate_json(workflow.to_json()) == workflow
    assert Workflow.model_validate(workflow.to_dict()) == workflow


json_values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3)
)


@given(
    json_values
    | st.fixed_dictionaries({"nodes": json_values}, optional={"format": json_values, "definitions": json_values})
)
def test_any_json_is_a_document_or_a_list_of_problems(raw: Any) -> None:
    try:
        read_workflow(raw, REGISTRY)
    except InvalidWorkflow as error:
        assert error.problems


def test_the_written_form_has_a_line_for_each_node() -> None:
    text = Workflow.model_validate(RENDER).to_json()
    lines = [line.strip() for line in text.splitlines()]
    assert any(line.startswith('"mix": {"type": "Blend@1"') for line in lines)
    assert any(line.startswith('"sample": {"type": "Sample@2"') for line in lines)
    assert list(json.loads(text)) == ["format", "nodes", "inputs", "outputs", "definitions"]


@pytest.mark.parametrize(
    ("raw", "code", "where", "words"),
    [
        ([], "bad_document", "document", "needs an object"),
        ({"3": {"class_type": "KSampler"}}, "bad_document", "document", "has keys '3'"),
        ({"format": "nodegraph/2", "nodes": {}}, "newer_format", "document", "update nodegraph"),
        ({"format": "other", "nodes": {}}, "bad_document", "document", "'other'"),
        ({"nodes": {"a": {"type": "blur"}}}, "bad_document", "a", "type"),
        ({"nodes": {"A": step("Add@1")}}, "bad_document", "A", "pattern"),
        ({"nodes": {"a": {"type": "Add@1", "input": {}}}}, "bad_document", "a", "input"),
        ({"nodes": {"a": step("Add@1", a={"$from": "b"})}}, "bad_document", "a.a", "$from"),
        ({"nodes": {"a": step("Add@1", a={"$from": "b.c", "x": 1})}}, "bad_document", "a.a", "x"),
        ({"nodes": {}, "colour": 1}, "bad_document", "document", "colour"),
        ({"nodes": {}, "inputs": {"x": {"to": []}}}, "bad_document", "document", "inputs.x.to"),
    ],
)
def test_what_is_wrong_with_a_document_is_said_where_it_is(raw: Any, code: str, where: str, words: str) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        read_workflow(raw, REGISTRY)
    found = caught.value.problems[0]
    assert (found.code, found.where) == (code, where)
    assert words in found.message


def test_old_nodes_are_upgraded_and_unknown_ones_are_left_alone() -> None:
    raw = {
        "nodes": {
            "old": step("Sample@1", guidance=3.0, model=link("m.model")),
            "lost": step("acme/Thing@3", guidance=3.0),
        },
        "definitions": {"d": {"nodes": {"old": step("Sample@1", guidance=2.0)}}},
    }
    kept = json.dumps(raw)
    done = upgrade(raw, REGISTRY)
    assert done["nodes"]["old"] == step("Sample@2", cfg=3.0, model=link("m.model"))
    assert done["nodes"]["lost"] == raw["nodes"]["lost"]
    assert done["definitions"]["d"]["nodes"]["old"] == step("Sample@2", cfg=2.0)
    assert json.dumps(raw) == kept
    assert upgrade(done, REGISTRY) == done


def test_documents_from_files(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text(json.dumps({"nodes": TXT2IMG}))
    assert set(load_workflow(good, REGISTRY).nodes) == set(TXT2IMG)
    bad = tmp_path / "bad.json"
    bad.write_text('{"nodes": ')
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n not really")
    deep = tmp_path / "deep.json"
    deep.write_text('{"nodes":' + "[" * 100_000 + "]" * 100_000 + "}")
    for path, words in [
        (bad, "line 1 column"),
        (picture, "holds no workflow"),
        (tmp_path / "none.json", "no such file"),
        (tmp_path, "is a folder"),
        (deep, "deep"),
    ]:
        with pytest.raises(InvalidWorkflow, match=words):
            load_workflow(path, REGISTRY)


def test_a_notebook_shows_the_graph() -> None:
    drawn = Workflow.model_validate({"nodes": TXT2IMG, "name": "a <b>"})._repr_html_()
    assert drawn.startswith("<svg")
    assert "a &lt;b&gt;" in drawn
    assert drawn.count("<path") == 5
    for id in TXT2IMG:
        assert f">{id}" in drawn
