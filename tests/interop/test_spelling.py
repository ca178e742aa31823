"""Classes of other packs are said with ComfyUI's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interop.test_canvas import LOADER, REGISTRY, canvas, drawn
from interop.wirings import ALL, Prompt, node
from nodegraph.interop import open_document
from nodegraph.interop.canvas import read_canvas
from nodegraph.interop.classes import known_classes
from nodegraph.interop.outward import export
from nodegraph.interop.prompt import Item, Wire, read_prompt
from nodegraph.interop.spelling import SAME, SPELLED, spelled


def items(raw: Prompt) -> dict[str, Item]:
    return spelled(read_prompt(raw)[0])[0]


@pytest.mark.parametrize("name", SAME)
def test_they_name_what_is_there(name: str) -> None:
    same = SAME[name]
    assert set(same.inputs) <= known_classes()[same.type].inputs.keys()
    assert set(same.inputs.values()) <= known_classes()[name].inputs.keys()
    theirs = known_classes()[name].outputs
    assert len(known_classes()[same.type].outputs) <= max(len(theirs), 1)


def test_all_of_them_are_known() -> None:
    assert SPELLED.keys() <= known_classes().keys()


def test_a_row_of_loras_is_one_behind_the_other() -> None:
    """Those that are switched on, from a file of either format."""
    rows = [
        {"on": True, "lora": "a.safetensors", "strength": 0.5, "strengthTwo": None},
        {"on": False, "lora": "b.safetensors", "strength": 1},
        {"on": True, "lora": "c.safetensors", "strength": 1, "strengthTwo": 0.25},
    ]
    power = drawn(2, "Power Lora Loader (rgthree)", [("model", "MODEL", 1), ("clip", "CLIP", 2)], ("MODEL", "CLIP"),
                  [{}, {"type": "PowerLoraLoaderHeaderWidget"}, *rows, {}, ""])  # fmt: skip
    text = drawn(3, "CLIPTextEncode", [("clip", "CLIP", 3)], ("CONDITIONING",), ["a cat"])
    seen = read_canvas(
        canvas([LOADER, power, text], [[1, 1, 0, 2, 0, "M"], [2, 1, 1, 2, 1, "C"], [3, 2, 1, 3, 0, "C"]])
    )
    assert not seen.problems
    raw = {
        "1": node("CheckpointLoaderSimple", ckpt_name="demo"),
        "2": node(
            "Power Lora Loader (rgthree)", model_="1.0", clip_="1.1", lora_1=rows[0], lora_2=rows[1], lora_3=rows[2]
        ),
        "3": node("CLIPTextEncode", clip_="2.1", text="a cat"),
    }
    for made in (spelled(seen.items)[0], items(raw)):
        assert [made[id].inputs["lora_name"] for id in ("2~1", "2")] == ["a.safetensors", "c.safetensors"]
        assert [made[id].inputs["strength_clip"] for id in ("2~1", "2")] == [0.5, 0.25]
        assert (made["2"].inputs["model"], made["3"].inputs["clip"]) == (Wire("2~1", 0), Wire("2", 1))
    none = items({**raw, "2": node("Power Lora Loader (rgthree)", model_="1.0", clip_="1.1")})
    assert none["3"].inputs["clip"] == Wire("1", 1)
    opened = open_document(json.dumps(raw).encode(), REGISTRY)
    assert opened.origin.keys() == raw.keys()
    assert export(opened.workflow, REGISTRY).whole


def test_texts_seeds_and_switches() -> None:
    raw: Prompt = json.loads(json.dumps(ALL["img2img"]))
    raw["3"]["inputs"] |= {"seed": ["20", 0], "positive": ["26", 0]}
    raw["6"]["inputs"]["text"] = ["22", 0]
    raw |= {
        "20": node("Seed (rgthree)", seed=77),
        "21": node("easy positive", positive="a cat"),
        "22": node("ShowText|pysssh", text_="21.0"),
        "23": node("ImpactWildcardEncode", model_="14.0", clip_="14.1", wildcard_text="{a|b}", seed=1,
                   populated_text="a fox <lora:ink:0.8:0.5:LBW=x>", mode="fixed"),
        "26": node("Any Switch (rgthree)", any_02_="6.0", any_03_="23.2"),
        "27": node("LoadImageMask", image="m.png", channel="red"),
        "28": node("MaskPreview+", mask_="27.0"),
    }  # fmt: skip
    made = items(raw)
    assert made["20"] == Item("PrimitiveInt", {"value": 77}, "Seed (rgthree)")
    assert (made["22"].type, made["6"].inputs["text"], made["3"].inputs["positive"]) == (
        "PreviewAny", Wire("21", 0), Wire("6", 0)
    )  # fmt: skip
    assert (made["23"].inputs, made["23~lora"].inputs["strength_clip"]) == (
        {"clip": Wire("23~lora", 1), "text": "a fox "}, 0.5
    )  # fmt: skip
    assert made["28"].inputs["mask"] == Wire("27", 0)
    assert (made["27"].type, made["27~image"].inputs) == ("ImageToMask", {"image": "m.png"})
    opened = open_document(json.dumps(raw).encode(), REGISTRY)
    assert {note.code for note in opened.notes} <= {"changed"}
    _, notes = spelled({"1": Item("Seed (rgthree)", {"seed": -1})})
    assert "draws its number by lot there (-1)" in notes[0].message


def test_tools_of_the_editor_are_left_away_and_its_reroutes_spliced() -> None:
    raw: Any = canvas(
        [
            LOADER,
            drawn(2, "Reroute (rgthree)", [("", "*", 1)], ("VAE",)),
            drawn(3, "Fast Groups Bypasser (rgthree)", (), ("OPT_CONNECTION",)),
            drawn(7, "VAEDecode", [("samples", "LATENT", None), ("vae", "VAE", 2)], ("IMAGE",)),
        ],
        [[1, 1, 2, 2, 0, "VAE"], [2, 2, 0, 7, 1, "VAE"]],
    )
    seen = read_canvas(raw)
    assert seen.items.keys() == {"1", "7"}
    assert seen.items["7"].inputs == {"vae": Wire("1", 2)}
    assert [note.message for note in seen.problems] == [
        "Fast Groups Bypasser (rgthree) works in ComfyUI's editor alone, so it is left away"
    ]


def test_what_is_given_everywhere_feeds_what_is_open() -> None:
    """By type, prompts by name; what is linked stays, and a widget is none."""
    sampler = drawn(5, "KSampler", [("model", "MODEL", None), ("positive", "CONDITIONING", None),
                    ("negative", "CONDITIONING", None), ("latent_image", "LATENT", None)], ("LATENT",))  # fmt: skip
    three = [("anything", "MODEL", 1), ("anything2", "CLIP", 2), ("anything3", "VAE", 3)]
    raw: Any = canvas(
        [
            LOADER,
            drawn(2, "Anything Everywhere3", three),
            drawn(3, "CLIPTextEncode", [("clip", "CLIP", None)], ("CONDITIONING",), ["a cat"]),
            drawn(4, "CLIPTextEncode", [("clip", "CLIP", 6)], ("CONDITIONING",), ["a dog"]),
            sampler,
            drawn(6, "Prompts Everywhere", [("CONDITIONING", "CONDITIONING", 4), ("CONDITIONING2", "*", 5)]),
            drawn(7, "LoraLoader", [("model", "MODEL", None), ("clip", "CLIP", None)], ("MODEL", "CLIP"), ["x", 1, 1]),
        ],
        [[1, 1, 0, 2, 0, "MODEL"], [2, 1, 1, 2, 1, "CLIP"], [3, 1, 2, 2, 2, "VAE"], [4, 3, 0, 6, 0, "CONDITIONING"],
         [5, 4, 0, 6, 1, "CONDITIONING"], [6, 7, 1, 4, 0, "CLIP"]],
    )  # fmt: skip
    made = read_canvas(raw).items
    assert made.keys() == {"1", "3", "4", "5", "7"}
    assert (made["3"].inputs["clip"], made["4"].inputs["clip"]) == (Wire("1", 1), Wire("7", 1))
    given = {name: made["5"].inputs[name] for name in ("model", "positive", "negative")}
    assert given == {"model": Wire("1", 0), "positive": Wire("3", 0), "negative": Wire("4", 0)}
    assert "latent_image" not in made["5"].inputs
