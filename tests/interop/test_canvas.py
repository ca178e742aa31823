"""ComfyUI's UI format: the prompt that its editor would send, and where things are."""

from __future__ import annotations

import json
from typing import Any

import pytest

import nodegraph_diffusion.comfyui
from nodegraph import InvalidWorkflow, Registry
from nodegraph.interop import Opened, open_document
from nodegraph.interop.canvas import read_canvas
from nodegraph.interop.outward import export
from nodegraph.interop.prompt import Wire

REGISTRY = Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack)


def drawn(id: int, type: str, inputs: Any = (), outputs: Any = (), values: Any = (), **rest: Any) -> dict[str, Any]:
    """A node: its inputs as (name, type, link), its outputs as types."""
    return {
        "id": id, "type": type, "pos": [id * 10, 5], "size": [200, 100], "mode": 0,
        "inputs": [{"name": n, "type": t, "link": link} for n, t, link in inputs],
        "outputs": [{"name": t, "type": t} for t in outputs],
        "widgets_values": values if isinstance(values, dict) else list(values), **rest,
    }  # fmt: skip


def canvas(nodes: list[dict[str, Any]], links: list[list[Any]], **rest: Any) -> dict[str, Any]:
    return {"nodes": nodes, "links": links, "version": 0.4, **rest}


def opened(raw: Any) -> Opened:
    return open_document(json.dumps(raw).encode(), REGISTRY)


LOADER = drawn(1, "CheckpointLoaderSimple", (), ("MODEL", "CLIP", "VAE"), ["demo"])


def test_widgets_by_place_skip_what_buttons_hold() -> None:
    raw = canvas(
        [
            drawn(3, "KSampler", [], ("LATENT",), [42, "randomize", 20, 7.5, "euler", "karras", 0.5]),
            drawn(4, "KSampler", [], ("LATENT",), [42, True, 20, 7.5, "euler", "karras", 0.5]),
            drawn(5, "KSampler", [], ("LATENT",), [42, 20, 7.5, "euler", "karras", 0.5]),
            drawn(6, "LoadImage", [], ("IMAGE", "MASK"), ["a.png", "image"]),
            drawn(7, "SamplerCustom", [], ("LATENT",), [True, 9, "fixed", 6.0]),
        ],
        [],
    )
    items = read_canvas(raw).items
    for id in ("3", "4", "5"):
        assert items[id].inputs == {
            "seed": 42, "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 0.5
        }  # fmt: skip
    assert items["6"].inputs == {"image": "a.png"}
    assert items["7"].inputs == {"add_noise": True, "noise_seed": 9, "cfg": 6.0}


def test_a_converted_widget_keeps_its_place_and_the_link_wins() -> None:
    text = drawn(2, "CLIPTextEncode", [("clip", "CLIP", 1), ("text", "STRING", 2)], (), ["old"])
    text["inputs"][1]["widget"] = {"name": "text"}
    words = drawn(3, "PrimitiveString", (), ("STRING",), ["new"])
    items = read_canvas(canvas([LOADER, text, words], [[1, 1, 1, 2, 0, "CLIP"], [2, 3, 0, 2, 1, "STRING"]])).items
    assert items["2"].inputs == {"clip": Wire("1", 1), "text": Wire("3", 0)}


def test_values_by_name() -> None:
    raw = canvas([drawn(1, "VHS_LoadVideo", (), (), {"video": "a.mp4", "videopreview": {"x": 1}})], [])
    assert read_canvas(raw).items["1"].inputs == {"video": "a.mp4"}
    named = canvas([drawn(1, "Other", widgets_values_named={"a": 1})], [])
    assert read_canvas(named).items["1"].inputs == {"a": 1}


def test_reroutes_primitives_and_get_and_set_are_spliced_out() -> None:
    raw = canvas(
        [
            LOADER,
            drawn(2, "Reroute", [("", "*", 1)], ("VAE",)),
            drawn(3, "SetNode", [("VAE", "VAE", 2)], ("*",), ["the vae"]),
            drawn(4, "GetNode", (), ("VAE",), ["the vae"]),
            drawn(5, "PrimitiveNode", (), ("INT",), [768, "fixed"]),
            drawn(6, "EmptyLatentImage", [("width", "INT", 4)], ("LATENT",), [512, 640, 1]),
            drawn(7, "VAEDecode", [("samples", "LATENT", 5), ("vae", "VAE", 3)], ("IMAGE",)),
        ],
        [[1, 1, 2, 2, 0, "VAE"], [2, 2, 0, 3, 0, "VAE"], [3, 4, 0, 7, 1, "VAE"], [4, 5, 0, 6, 0, "INT"],
         [5, 6, 0, 7, 0, "LATENT"]],
    )  # fmt: skip
    raw["nodes"][5]["inputs"][0]["widget"] = {"name": "width"}
    items = read_canvas(raw).items
    assert set(items) == {"1", "6", "7"}
    assert items["7"].inputs == {"samples": Wire("6", 0), "vae": Wire("1", 2)}
    assert items["6"].inputs == {"width": 768, "height": 640, "batch_size": 1}


def test_a_bypassed_node_passes_on_what_fits() -> None:
    raw = canvas(
        [
            LOADER,
            drawn(
                2, "LoraLoader", [("model", "MODEL", 1), ("clip", "CLIP", 2)], ("MODEL", "CLIP"), ["x", 1, 1], mode=4
            ),
            drawn(3, "CLIPTextEncode", [("clip", "CLIP", 3)], ("CONDITIONING",), ["a cat"]),
        ],
        [[1, 1, 0, 2, 0, "MODEL"], [2, 1, 1, 2, 1, "CLIP"], [3, 2, 1, 3, 0, "CLIP"]],
    )
    made = opened(raw)
    assert made.workflow.to_dict()["nodes"]["clip_text_encode_3"]["inputs"]["text_encoder"] == {
        "$from": "checkpoint_loader_simple_1.text_encoder"
    }
    assert [(n.code, n.message) for n in made.notes] == [
        ("bypassed", "node 2: LoraLoader is bypassed, so it is left away and what feeds it is passed on")
    ]


def test_what_needs_a_muted_node_goes_with_it() -> None:
    raw = canvas(
        [
            drawn(1, "LoadImage", (), ("IMAGE", "MASK"), ["a.png"], mode=2),
            drawn(2, "ImageScale", [("image", "IMAGE", 1)], ("IMAGE",), ["area", 64, 64, "disabled"]),
            drawn(3, "SaveImage", [("images", "IMAGE", 2)], (), ["x"]),
            drawn(4, "LoadImage", (), ("IMAGE", "MASK"), ["b.png"]),
            drawn(5, "ImageCompositeMasked", [("destination", "IMAGE", 3), ("source", "IMAGE", 4), ("mask", "MASK", 5)],
                  ("IMAGE",), [0, 0, False]),
        ],
        [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"], [3, 4, 0, 5, 0, "IMAGE"], [4, 4, 0, 5, 1, "IMAGE"],
         [5, 1, 1, 5, 2, "MASK"]],
    )  # fmt: skip
    made = opened(raw)
    assert set(made.workflow.nodes) == {"load_image_4", "image_composite_masked_5"}
    assert "mask" not in made.workflow.nodes["image_composite_masked_5"].inputs
    assert [n.code for n in made.notes] == ["muted"] * 3


INNER = {
    "id": "5f3b", "name": "Words",
    "inputs": [{"name": "clip", "type": "CLIP"}, {"name": "text", "type": "STRING"}],
    "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING"}],
    "nodes": [
        {
            "id": 7, "type": "CLIPTextEncode", "pos": [100, 100], "mode": 0, "widgets_values": ["inside"],
            "inputs": [{"name": "clip", "type": "CLIP", "link": 1},
                       {"name": "text", "type": "STRING", "link": 2, "widget": {"name": "text"}}],
            "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING"}],
        }
    ],
    "links": [
        {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 7, "target_slot": 0, "type": "CLIP"},
        {"id": 2, "origin_id": -10, "origin_slot": 1, "target_id": 7, "target_slot": 1, "type": "STRING"},
        {"id": 3, "origin_id": 7, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "CONDITIONING"},
    ],
}  # fmt: skip


def test_subgraphs_are_laid_open_in_both_versions() -> None:
    use = drawn(2, "5f3b", [("clip", "CLIP", 1), ("text", "STRING", None)], ("CONDITIONING",), ["given"])
    use["inputs"][1]["widget"] = {"name": "text"}
    take = drawn(3, "ConditioningZeroOut", [("conditioning", "CONDITIONING", 2)], ("CONDITIONING",))
    links = [[1, 1, 1, 2, 0, "CLIP"], [2, 2, 0, 3, 0, "CONDITIONING"]]
    raw = canvas([LOADER, use, take], links, definitions={"subgraphs": [INNER]})
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    newer = {**raw, "version": 1, "links": [dict(zip(names, link, strict=True)) for link in links]}
    for each in (raw, newer):
        items = read_canvas(each).items
        assert set(items) == {"1", "2:7", "3"}
        assert items["2:7"].inputs == {"clip": Wire("1", 1), "text": "given"}
        assert items["3"].inputs == {"conditioning": Wire("2:7", 0)}
        made = opened(each)
        assert made.origin["2:7"] == "words_2/clip_text_encode_7"
        assert made.workflow.nodes["words_2"].type == "#words"
        back = export(made.workflow, REGISTRY).prompt
        assert back["2:7"]["inputs"] == {"clip": ["1", 1], "text": "given"}
        assert back["3"]["inputs"] == {"conditioning": ["2:7", 0]}


def test_uses_of_a_subgraph_share_a_definition_with_titles_and_places() -> None:
    def use(id: int, words: str) -> dict[str, Any]:
        made = drawn(id, "5f3b", [("clip", "CLIP", 1), ("text", "STRING", None)], ("CONDITIONING",), [words])
        made["inputs"][1]["widget"] = {"name": "text"}
        return {**made, "title": f"Say {words}"}

    inner = {
        **INNER,
        "nodes": [*INNER["nodes"], drawn(8, "Note", (), (), ["read me"])],
        "groups": [{"title": "All", "bounding": [60, 0, 100, 50]}],
        "inputs": [{"name": "clip", "type": "CLIP"}, {"name": "text", "label": "Words", "type": "STRING"}],
    }
    combine = drawn(
        4, "ConditioningCombine", [("conditioning_1", "C", 2), ("conditioning_2", "C", 3)], ("CONDITIONING",)
    )
    links = [[1, 1, 1, 2, 0, "CLIP"], [4, 1, 1, 3, 0, "CLIP"], [2, 2, 0, 4, 0, "C"], [3, 3, 0, 4, 1, "C"]]
    made = opened(canvas([LOADER, use(2, "a"), use(3, "b"), combine], links, definitions={"subgraphs": [inner]}))
    flow = made.workflow
    assert flow.nodes["say_a_2"].type == flow.nodes["say_b_3"].type == "#words"
    assert [flow.nodes[id].inputs["words"] for id in ("say_a_2", "say_b_3")] == ["a", "b"]
    assert flow.layout.looks["say_a_2"] == {"title": "Say a"}
    assert flow.layout.nodes["say_b_3"] == (30.0, 5.0)
    (words,) = flow.definitions.values()
    assert words.inputs["words"].title == "Words"
    assert words.inputs["words"].to == ("clip_text_encode_7.text",)
    assert list(words.outputs) == ["conditioning"]
    assert words.layout.nodes == {"clip_text_encode_7": (100.0, 100.0)}
    assert words.layout.notes == [{"id": "note_1", "text": "read me", "at": [80.0, 5.0], "size": [200.0, 100.0]}]
    assert words.layout.groups == [{"id": "group_1", "title": "All", "at": [60.0, 0.0], "size": [100.0, 50.0]}]
    assert (flow.layout.notes, flow.layout.groups) == ([], [])
    back = export(flow, REGISTRY).prompt
    assert {id: each["inputs"].get("text") for id, each in back.items()} == {
        "1": None,
        "2:7": "a",
        "3:7": "b",
        "4": None,
    }


def test_subgraphs_lie_in_subgraphs() -> None:
    """A subgraph that is wholly another one; both hand on what they are given, and to another than the first output."""
    inside = drawn(9, "5f3b", [("clip", "CLIP", 5), ("text", "STRING", 6)], ("CONDITIONING",))
    outer = {
        "id": "77aa", "name": "Outer", "nodes": [inside],
        "inputs": [{"name": "encoder", "type": "CLIP"}, {"name": "prompt", "type": "STRING"}],
        "outputs": [{"name": "said", "type": "CONDITIONING"}],
        "links": [
            {"id": 5, "origin_id": -10, "origin_slot": 0, "target_id": 9, "target_slot": 0, "type": "CLIP"},
            {"id": 6, "origin_id": -10, "origin_slot": 1, "target_id": 9, "target_slot": 1, "type": "STRING"},
            {"id": 7, "origin_id": 9, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "CONDITIONING"},
        ],
    }  # fmt: skip
    use = drawn(2, "77aa", [("encoder", "CLIP", 1), ("prompt", "STRING", None)], ("CONDITIONING",), ["deep"])
    use["inputs"][1]["widget"] = {"name": "prompt"}
    take = drawn(3, "ConditioningZeroOut", [("conditioning", "CONDITIONING", 2)], ("CONDITIONING",))
    links = [[1, 1, 1, 2, 0, "CLIP"], [2, 2, 0, 3, 0, "CONDITIONING"]]
    made = opened(canvas([LOADER, use, take], links, definitions={"subgraphs": [INNER, outer]}))
    flow = made.workflow
    assert made.origin["2:9:7"] == "outer_2/words_9/clip_text_encode_7"
    assert flow.nodes["outer_2"].inputs["prompt"] == "deep"
    assert flow.definitions["outer"].inputs["prompt"].to == ("words_9.text",)
    assert list(flow.definitions["outer"].outputs) == ["said"]
    back = export(flow, REGISTRY).prompt
    assert back["2:9:7"]["inputs"] == {"clip": ["1", 1], "text": "deep"}
    assert back["3"]["inputs"] == {"conditioning": ["2:9:7", 0]}


def test_subgraphs_that_hold_themselves_are_refused() -> None:
    loop = {**INNER, "nodes": [drawn(1, "5f3b")], "links": []}
    with pytest.raises(InvalidWorkflow, match="break the circle"):
        opened(canvas([drawn(1, "5f3b")], [], definitions={"subgraphs": [loop]}))
    wide = {**INNER, "nodes": [drawn(n, "next") for n in range(200)], "links": []}
    deep = {**INNER, "id": "next", "nodes": [drawn(n, "Note") for n in range(200)], "links": []}
    with pytest.raises(InvalidWorkflow, match="10,000 nodes"):
        opened(canvas([drawn(1, "5f3b")], [], definitions={"subgraphs": [wide, deep]}))


def test_layout_titles_groups_and_notes_come_along() -> None:
    raw = canvas(
        [
            drawn(4, "CLIPTextEncode", (), (), ["a cat"], title="Positive prompt", bgcolor="#353"),
            drawn(6, "KSampler", (), (), [3, "randomize", 20], title="KSampler", flags={"collapsed": True}),
            drawn(5, "MarkdownNote", (), (), ["Read *this*"]),
        ],
        [],
        groups=[{"title": "Prompts", "bounding": [0, -5, 300, 200], "color": "#3f789e"}],
    )
    layout = opened(raw).workflow.layout
    assert layout.nodes == {"positive_prompt_4": (40.0, 5.0), "k_sampler_6": (60.0, 5.0)}
    assert layout.looks == {
        "positive_prompt_4": {"title": "Positive prompt", "colour": "#353"},
        "k_sampler_6": {"collapsed": True, "seed": "random"},
    }
    assert layout.notes == [{"id": "note_1", "text": "Read *this*", "at": [50.0, 5.0], "size": [200.0, 100.0]}]
    assert layout.groups == [{"id": "group_1", "title": "Prompts", "at": [0.0, -5.0], "size": [300.0, 200.0]}]


def test_values_of_widgets_without_a_name_are_kept_and_named() -> None:
    made = opened(canvas([drawn(8, "Some Node (pack)", [], (), ["x", 3])], []))
    assert made.workflow.to_dict()["nodes"] == {
        "some_node_pack_8": {
            "type": "comfyui/Other@1",
            "inputs": {"class_type": "Some Node (pack)", "widget_0": "x", "widget_1": 3},
        }
    }
    assert [n.code for n in made.notes] == ["unnamed_value", "not_carried"]
