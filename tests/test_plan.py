from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import toy
from harness import Bench, changed, link, step
from nodegraph import Folders, InvalidWorkflow, Registry, Workflow
from nodegraph.keys import Digests, keys
from nodegraph.plan import compile
from toy import TXT2IMG


def made_keys(nodes: dict[str, Any], nonce: str = "", registry: Registry | None = None, **rest: Any) -> dict[str, str]:
    registry = registry or toy.registry()
    plan = compile(Workflow.model_validate({"nodes": nodes, **rest}), registry, Folders())
    return keys(plan, nonce, Digests())


def test_all_problems_at_once(bench: Bench) -> None:
    bad = {
        **TXT2IMG,
        "sample": step(
            "Sample@2", model=link("prompt.conditioning"), steps=0, colour="red", sampler="hein", seed=2**53
        ),
        "ghost": step("Smaple@1"),
        "lost": step("acme/Sharpen@1"),
        "newer": step("Decode@9", latent=link("sample.latent")),
        "loose": step("Invert@1", image=link("decode.pixels"), amount=float("inf")),
        "nowhere": step("Invert@1", image=link("decoed.image")),
        "written": step("Invert@1", image="a.png"),
        "two": step("Invert@1", image=[link("decode.image"), link("decode.image")]),
        "nan": step("Invert@1", image=link("decode.image"), amount="much"),
        "gone": step("LoadModel@1", source="gone"),
    }
    assert set(bench.problems(bad)) == {
        ("type_mismatch", "sample", "model"),
        ("missing_input", "sample", "positive"),
        ("bad_value", "sample", "steps"),
        ("bad_value", "sample", "sampler"),
        ("bad_value", "sample", "seed"),
        ("unknown_input", "sample", "colour"),
        ("unknown_type", "ghost", None),
        ("missing_pack", "lost", None),
        ("newer_node", "newer", None),
        ("dangling_link", "loose", "image"),
        ("bad_value", "loose", "amount"),
        ("dangling_link", "nowhere", "image"),
        ("not_a_literal", "written", "image"),
        ("too_many_links", "two", "image"),
        ("bad_value", "nan", "amount"),
        ("unusable", "gone", "source"),
    }
    text = bench.message(bad)
    for words in [
        "sample.model: needs Model, but prompt.conditioning gives Conditioning",
        "did you mean 'Sample'?",
        "did you mean 'heun'?",
        "did you mean 'decode'?",
        "its pack 'acme' is not installed",
        "there is no model 'gone'; try 'toy'",
    ]:
        assert words in text


def test_a_cycle_is_named(bench: Bench) -> None:
    nodes = {
        "a": step("Invert@1", image=link("c.image")),
        "b": step("Invert@1", image=link("a.image")),
        "c": step("Invert@1", image=link("b.image"), amont=1.0),
    }
    assert [(code, port) for code, _, port in bench.problems(nodes)] == [("cycle", None), ("unknown_input", "amont")]
    assert re.search(r"a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c", bench.message(nodes))


def test_a_problem_in_a_node_nobody_needs_does_not_stand_in_the_way(bench: Bench) -> None:
    nodes = {"p": step("Picture@1"), "keep": step("Keep@1", image=link("p.image")), "loose": step("Invert@1")}
    assert bench.problems(nodes) == [("missing_input", "loose", "image")]
    assert len(bench.run(nodes).files) == 1
    with pytest.raises(InvalidWorkflow, match="loose"):
        bench.run(nodes, targets=["loose"])


def test_an_unknown_target_is_named(bench: Bench) -> None:
    with pytest.raises(InvalidWorkflow, match=r"target 'decod' is neither .*did you mean 'decode'"):
        bench.run(TXT2IMG, targets=["decod"])


def test_a_missing_file_is_found_before_anything_runs(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    assert bench.problems({"r": step("Read@1", file="nope.txt")}) == [("missing_file", "r", "file")]
    assert "did you mean 'note.txt'" in bench.message({"r": step("Read@1", file="note.text")})
    assert bench.run({"r": step("Read@1", file="note.txt")})["r.str"] == "hello"


def test_a_files_content_is_in_the_key_and_its_name_is_not(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("one")
    bench.run({"r": step("Read@1", file="a.txt")})
    bench.run({"r": step("Read@1", file="b.txt")})
    assert bench.ran == []
    (tmp_path / "b.txt").write_text("other")
    assert bench.run({"r": step("Read@1", file="b.txt")})["r.str"] == "other"


def test_keys_ignore_ids_and_layout_and_tell_values_apart() -> None:
    text = json.dumps(TXT2IMG).replace('"model": {"type"', '"base": {"type"').replace("model.model", "base.model")
    assert made_keys(json.loads(text))["decode"] == made_keys(TXT2IMG, "other nonce")["decode"]
    assert made_keys(TXT2IMG, layout={"nodes": {"model": [3, 4]}}) == made_keys(TXT2IMG)
    for path, value in [("sample.seed", 1), ("sample.cfg", 7.5), ("prompt.text", "a dog"), ("model.source", "b")]:
        assert made_keys(changed(TXT2IMG, path, value))["decode"] != made_keys(TXT2IMG)["decode"], path


def test_a_default_that_is_written_out_is_the_same_key() -> None:
    assert made_keys(changed(TXT2IMG, "sample.cfg", 7)) == made_keys(TXT2IMG)


def test_swapped_links_are_another_key() -> None:
    nodes = {"a": step("Picture@1", value=1.0), "b": step("Picture@1", value=2.0)}
    one = made_keys(nodes | {"c": step("Blend@1", a=link("a.image"), b=link("b.image"))})["c"]
    two = made_keys(nodes | {"c": step("Blend@1", a=link("b.image"), b=link("a.image"))})["c"]
    assert one != two


def test_default_targets_are_outputs_and_sinks(bench: Bench) -> None:
    nodes = {
        "p": step("Picture@1"),
        "unused": step("Picture@1", value=2.0),
        "keep": step("Keep@1", image=link("p.image")),
    }
    bench.run(nodes)
    assert bench.ran == ["p", "keep"]
    result = bench.run(nodes, outputs={"image": link("unused.image")})
    assert list(result) == ["image"]
    assert "keep" in bench.ran


def test_an_output_that_does_not_exist(bench: Bench) -> None:
    assert bench.problems(TXT2IMG, outputs={"image": link("decode.imgae")}) == [("dangling_link", "", None)]
    assert "did you mean 'image'" in bench.message(TXT2IMG, outputs={"image": link("decode.imgae")})
    assert bench.problems(TXT2IMG, outputs={"image": link("nowhere.image")}) == [("dangling_link", "", None)]


def test_inputs_given_by_name_reach_their_ports(bench: Bench) -> None:
    document = {"inputs": {"text": {"to": ["prompt.text"]}, "seed": {"to": ["sample.seed"]}}}
    result = bench.run(TXT2IMG, {"text": "a dragon", "seed": "3", "sample.steps": 2}, **document)
    assert result["decode.image"].data == pytest.approx((10.0, len("toy:a dragon")))
    with pytest.raises(InvalidWorkflow, match=r"has no input 'sed'; did you mean 'seed'\?"):
        bench.run(TXT2IMG, {"sed": 3}, **document)
    with pytest.raises(InvalidWorkflow, match=r"sample\.seed: .*'x' is given"):
        bench.run(TXT2IMG, {"seed": "x"}, **document)


def test_plan_says_what_would_run_and_why(bench: Bench) -> None:
    workflow = bench.read(TXT2IMG)
    before = {p.node: p.state for p in bench.engine.plan(workflow)}
    assert before == {"model": "run", "prompt": "run", "sample": "run", "decode": "run"}
    bench.run(workflow)
    held = {p.node: p.state for p in bench.engine.plan(workflow)}
    assert held == {"model": "unneeded", "prompt": "unneeded", "sample": "unneeded", "decode": "memory"}
    other = {p.node: (p.state, p.why) for p in bench.engine.plan(workflow, {"sample.seed": 5})}
    assert other["prompt"][0] == "memory"
    assert other["sample"] == ("run", "no result is kept for these inputs")
    assert other["decode"] == ("run", "sample will run")


RENDER: dict[str, Any] = {
    "nodes": {
        "model": step("LoadModel@1", source="toy"),
        "one": step("#render", model=link("model.model"), text="cat"),
        "two": step("#render", model=link("model.model"), text="dog"),
        "mix": step("Blend@1", a=link("one.picture"), b=link("two.picture")),
    },
    "inputs": {"subject": {"to": ["one.text"]}},
    "outputs": {"image": link("mix.image"), "first": link("one.picture")},
    "definitions": {
        "render": {
            "nodes": {
                "prompt": step("EncodePrompt@1", text="?"),
                "inner": step("#denoise", positive=link("prompt.conditioning")),
                "decode": step("Decode@1", latent=link("inner.latent")),
            },
            "inputs": {
                "model": {"to": ["prompt.model", "inner.model", "decode.model"]},
                "text": {"to": ["prompt.text"]},
            },
            "outputs": {"picture": link("decode.image")},
        },
        "denoise": {
            "nodes": {"sample": step("Sample@2", steps=2)},
            "inputs": {"model": {"to": ["sample.model"]}, "positive": {"to": ["sample.positive"]}},
            "outputs": {"latent": link("sample.latent")},
        },
    },
}


def test_a_definition_is_a_workflow_used_as_a_node(bench: Bench) -> None:
    workflow = bench.engine.read(RENDER)
    bench.run(workflow)
    assert bench.ran == [
        "model", "one/prompt", "one/inner/sample", "one/decode", "two/prompt", "two/inner/sample", "two/decode", "mix",
    ]  # fmt: skip
    bench.run(workflow, {"subject": "fox"})
    assert bench.ran == ["one/prompt", "one/inner/sample", "one/decode", "mix"]


def test_problems_of_definitions() -> None:
    bench = Bench(Path())

    def check(change: Any) -> tuple[list[str], str]:
        raw = json.loads(json.dumps(RENDER))
        change(raw)
        found = bench.engine.check(bench.engine.read(raw))
        return [p.code for p in found], "\n".join(map(str, found))

    assert check(lambda r: None) == ([], "")
    codes, text = check(lambda r: r["nodes"]["one"].update(type="#rendr"))
    assert "unknown_definition" in codes
    assert "did you mean 'render'" in text
    codes, text = check(lambda r: r["nodes"]["one"]["inputs"].update(txt="x"))
    assert "unknown_input" in codes
    codes, text = check(lambda r: r["definitions"]["denoise"]["nodes"].update(again=step("#render")))
    assert "#render -> #denoise -> #render" in text
    codes, text = check(lambda r: r["nodes"]["mix"]["inputs"].update(b=link("two.pictur")))
    assert "did you mean 'picture'" in text
    codes, text = check(lambda r: r["definitions"]["render"]["inputs"]["text"].update(to=["promt.text"]))
    assert "dangling_exposed" in codes


def test_what_lies_outside_of_the_graph_must_be_said_in_it(bench: Bench) -> None:
    nodes = {"read": step("Read@1", file="a.txt"), "model": step("LoadModel@1", source=link("read.str"))}
    (bench.engine.folders.base / "a.txt").write_text("toy")
    assert bench.problems(nodes) == [("not_a_link", "model", "source")]
