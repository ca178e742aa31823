from __future__ import annotations

from typing import Any

import pytest

import toy
from harness import Bench
from nodegraph import InvalidWorkflow, compose


def test_a_document_written_in_python(bench: Bench) -> None:
    with compose("Cat", registry=toy.registry()) as w:
        model = toy.load_model("toy")
        prompt = toy.encode_prompt(model, w.input("prompt", "a cat", title="Prompt"))
        latent = toy.sample(model, prompt, steps=w.input("steps", 5))
        w.output("image", toy.decode(model, latent))
    workflow = w.workflow
    assert list(workflow.nodes) == ["load_model", "encode_prompt", "sample", "decode"]
    assert workflow.nodes["sample"].inputs["cfg"] == 7.0
    assert workflow.inputs["prompt"].to == ("encode_prompt.text",)
    assert workflow.inputs["prompt"].title == "Prompt"
    assert bench.run(workflow, {"prompt": "a dragon"})["image"].data == pytest.approx((7.0, len("toy:a dragon")))


def test_named_outputs_lists_and_repeats(bench: Bench) -> None:
    with compose(registry=toy.registry()) as w:
        one, two = toy.picture(2.0), toy.picture(3.0)
        joined = toy.join([one, two])
        size = toy.image_size(joined)
        w.output("width", size.width)
        w.output("image", toy.join(toy.many(2)))
    result = bench.run(w.workflow)
    assert result["width"] == 2
    assert result["image"].data == (0.0, 1.0)
    assert "picture_2" in w.workflow.nodes


def test_what_does_not_fit_raises_on_its_line(bench: Bench) -> None:
    with compose(registry=toy.registry()) as w:
        model = toy.load_model("toy")
        wrong: Any = model
        with pytest.raises(InvalidWorkflow, match=r"invert\.image: needs Image, but load_model\.model gives Model"):
            toy.invert(wrong)
        with pytest.raises(InvalidWorkflow, match="greater than or equal to 1"):
            toy.many(0)
        with pytest.raises(InvalidWorkflow, match="needs Model; link an output"):
            toy.encode_prompt(text="a cat")  # type: ignore[call-arg]
        with pytest.raises(InvalidWorkflow, match="has no such input; did you mean 'seed'"):
            toy.sample(model, toy.encode_prompt(model, "a"), sed=3)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="2 inputs, but 3"):
            toy.blend(wrong, wrong, wrong)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="returned inside this block"):
            w.output("image", 3)
        toy.invert(toy.picture())
    assert bench.problems(w.workflow.to_dict()["nodes"]) == []


def test_an_exposed_input_must_feed_something() -> None:
    with pytest.raises(ValueError, match=r"\['prompt'\] feed nothing"), compose(registry=toy.registry()) as w:
        w.input("prompt", "a cat")


def test_outside_the_block_nodes_run_again() -> None:
    with compose(registry=toy.registry()):
        toy.picture(1.0)
    assert toy.picture(1.0).data == (1.0,)
