"""Any file: what it is taken for, what is refused, and that nothing of any shape makes more than reasons."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import nodegraph_diffusion.comfyui
from interop.kinds import FILES, WORDS
from interop.wirings import ALL, IMG2IMG
from nodegraph import InvalidWorkflow, Registry
from nodegraph.carrier import carry
from nodegraph.interop import LARGEST, Opened, open_document
from nodegraph.interop.outward import export
from nodegraph.workflow import Ref

REGISTRY = Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack)
PIXEL = Image.new("RGB", (8, 8))


def opened(data: bytes | str) -> Opened:
    return open_document(data.encode() if isinstance(data, str) else data, REGISTRY)


def refusal(data: bytes | str) -> str:
    with pytest.raises(InvalidWorkflow) as caught:
        opened(data)
    return str(caught.value)


def png(**texts: str) -> bytes:
    info, file = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    PIXEL.save(file, "png", pnginfo=info)
    return file.getvalue()


def exif(format: str, tags: dict[int, Any], comment: bytes = b"") -> bytes:
    made, file = Image.Exif(), io.BytesIO()
    for tag, text in tags.items():
        made[tag] = text
    if comment:
        made.get_ifd(0x8769)[0x9286] = comment
    PIXEL.save(file, format, exif=made)
    return file.getvalue()


NODES = sorted(opened(json.dumps(IMG2IMG)).workflow.nodes)
CANVAS = {"nodes": [{"id": 3, "type": "KSampler", "pos": [7, 8], "title": "Cat"}], "links": []}
OWN = (Path(__file__).parents[2] / "workflows" / "txt2img.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_one_workflow_in_every_kind_of_file(name: str) -> None:
    made, plain = opened(FILES[name]), opened(FILES["api.json"])
    assert [note.code for note in made.notes] == ["changed"] * name.startswith("a1111")  # its noise is another
    if not name.startswith("a1111"):
        assert made.workflow.nodes == plain.workflow.nodes
        assert made.origin == plain.origin
    steps = {step.type: step.inputs for step in made.workflow.nodes.values() if step.inputs.get("text") != "a dog"}
    assert steps["EncodePrompt@1"]["text"] == WORDS
    told = {key: steps["Sample@1"][key] for key in ("seed", "steps", "cfg", "sampler", "schedule")}
    assert told == {"seed": 7, "steps": 2, "cfg": 3.0, "sampler": "euler", "schedule": "karras"}
    assert ("drawn" in name or "both" in name) == bool(made.workflow.layout.nodes)


def test_our_own_documents_open_as_they_are() -> None:
    made = opened(OWN)
    assert (made.kind, made.notes, made.workflow.name) == ("nodegraph", (), "Text to image")
    file = io.BytesIO()
    PIXEL.save(file, "png", **carry(OWN, ".png"))
    assert opened(file.getvalue()).workflow == made.workflow


def test_the_same_prompt_in_every_wrapping() -> None:
    prompt = json.dumps(IMG2IMG)
    canvas = json.dumps(CANVAS)
    wrapped: list[bytes | str] = [
        prompt,
        "\ufeff" + prompt,
        json.dumps({"prompt": IMG2IMG, "client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": CANVAS}}}),
        png(prompt=prompt, workflow=canvas),
        exif("webp", {0x0110: f"prompt:{prompt}", 0x010F: f"Workflow:{canvas}"}),
    ]
    for each in wrapped:
        made = opened(each)
        assert made.kind == "comfyui"
        assert sorted(made.workflow.nodes) == NODES
    assert opened(wrapped[3]).workflow.layout.nodes == {"k_sampler_3": (7.0, 8.0)}
    assert opened(png(workflow=canvas)).workflow.nodes.keys() == {"cat_3"}


def test_origin_says_what_each_node_became() -> None:
    preview = {**IMG2IMG, "9": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}}
    made = opened(json.dumps(preview))
    assert made.origin["3"] == "k_sampler_3"
    assert made.origin["9"] == "preview_image_9"
    assert made.workflow.to_dict()["outputs"] == {"preview_image_9": {"$from": "vae_decode_8.image"}}
    assert export(made.workflow, REGISTRY).prompt["9"]["class_type"] == "PreviewImage"


def test_files_that_hold_no_workflow_say_so() -> None:
    assert "carries no workflow" in refusal(png())
    assert "no JSON" in refusal('{"nodes": [')
    assert "not in UTF-8" in refusal(b"{\xe9}")
    assert "not a picture" in refusal(b"\x00\x01\x02\x03")
    assert "an empty file" in refusal(b"")
    assert "needs an object" in refusal("[1, 2]")
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    assert "no JSON" in refusal('{"nodes": ' + deep + "}")


def test_large_files_are_refused_at_once() -> None:
    text = json.dumps({"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "x" * 20_000_000}}})
    many = json.dumps({str(n): {"class_type": "VAEDecode", "inputs": {}} for n in range(10_001)})
    start = time.process_time()
    assert f"at most {LARGEST:,}" in refusal(text)
    assert f"at most {LARGEST:,}" in refusal("\n".join(["a cat"] * 4_000_000))
    assert "at most 10,000" in refusal(many)
    assert time.process_time() - start < 3


def test_missing_inputs_have_their_defaults_and_others_are_kept() -> None:
    made = opened(
        '{"3": {"class_type": "KSampler", "inputs": {"sampler_name": "dpm_2_fast", "seed": 18446744073709551615}}}'
    )
    inputs = made.workflow.nodes["k_sampler_3"].inputs
    assert (inputs["steps"], inputs["cfg"], inputs["schedule"]) == (20, 8.0, "simple")
    assert (inputs["sampler"], inputs["seed"]) == ("dpm_2_fast", 2**53 - 1)
    assert [(n.code, n.port) for n in made.notes] == [("changed", "seed"), ("bad_value", "sampler")]


def test_a_literal_is_never_a_link() -> None:
    sly = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": {"$from": "a.b"}}},
           "2": {"class_type": "Unknown", "inputs": {"x": {"$from": "a.b"}, "class_type": 1, "UP": 2}}}  # fmt: skip
    nodes = opened(json.dumps(sly)).workflow.nodes
    assert not any(list(step.links()) for step in nodes.values())
    assert export(opened(json.dumps(sly)).workflow, REGISTRY).prompt["2"]["inputs"] == {
        "x": {"_$from": "a.b"}, "class_type": 1, "UP": 2
    }  # fmt: skip


INFOTEXT = """a (cat:1.2) on a blue background
in two lines
Negative prompt: a dog
Steps: 22, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1234, Size: 640x384, Model hash: abc, Model: demo, \
Clip skip: 2, Lora hashes: "one: 1, two: 2", Version: v1.7"""


def test_a1111_lines_alone_and_in_pictures() -> None:
    utf16 = b"UNICODE\0" + INFOTEXT.encode("utf-16-be")
    for each in (INFOTEXT, png(parameters=INFOTEXT), exif("jpeg", {}, utf16), exif("webp", {}, utf16)):
        made = opened(each)
        nodes = made.workflow.nodes
        assert made.kind == "a1111"
        assert nodes["prompt"].inputs["text"] == "a (cat:1.2) on a blue background\nin two lines"
        assert nodes["negative"].inputs["text"] == "a dog"
        assert nodes["prompt"].inputs["layer"] == 2
        assert {n: nodes["sample"].inputs[n] for n in ("seed", "steps", "cfg", "sampler", "schedule")} == {
            "seed": 1234, "steps": 22, "cfg": 6.5, "sampler": "dpmpp_2m", "schedule": "karras"
        }  # fmt: skip
        assert (nodes["size"].inputs["width"], nodes["size"].inputs["height"]) == (640, 384)
        assert [n.code for n in made.notes] == ["not_carried", "changed"]


def test_loras_in_a1111_prompts_are_applied() -> None:
    lines = (
        'a cat <lora:ink:0.8> <lora:fine line:0.5:0.25>\nSteps: 2, Sampler: Euler, Model: demo, Lora hashes: "ink: 1"'
    )
    made = opened(lines)
    nodes = made.workflow.nodes
    assert nodes["prompt"].inputs["text"] == "a cat"
    told = [[nodes[id].inputs[name] for name in ("source", "strength", "text_strength")] for id in ("lora", "lora_2")]
    assert told == [["ink", 0.8, 0.8], ["fine line", 0.25, 0.5]]
    links = {("lora_2", "model"): "lora.model", ("prompt", "text_encoder"): "lora_2.text_encoder",
             ("sample", "model"): "lora_2.model"}  # fmt: skip
    assert all(nodes[id].inputs[port] == Ref(*source.split(".")) for (id, port), source in links.items())
    assert not made.notes


SETTINGS: dict[str, dict[str, Any]] = {
    "Sampler: DPM++ 2M SDE, Schedule type: Automatic": {"sampler": "dpmpp_2m_sde", "schedule": "exponential"},
    "Sampler: DPM++ 2M": {"sampler": "dpmpp_2m", "schedule": "normal"},
    "Sampler: DPM2 a Karras": {"sampler": "dpm_2_ancestral", "schedule": "karras"},
    "Sampler: Euler a, Schedule type: SGM Uniform": {"sampler": "euler_ancestral", "schedule": "sgm_uniform"},
    "Sampler: DDIM, Schedule type: Automatic": {"sampler": "ddim", "schedule": "ddim_uniform"},
    "Sampler: DDIM CFG++, CFG scale: 10": {"sampler": "euler_cfg_pp", "schedule": "ddim_uniform", "cfg": 0.8},
    "Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 2.5": {"guidance": 2.5},
    'Note: "a, \\"b\\": c", Civitai resources: [{"x":"CFG scale: 9"}], CFG scale: 3': {"steps": 20, "cfg": 3.0},
}


@pytest.mark.parametrize("line", SETTINGS)
def test_settings_as_people_have_them(line: str) -> None:
    given = SETTINGS[line]
    nodes = opened(f"a cat, Steps: of stone\nSteps: 20, {line}, Model: demo").workflow.nodes
    assert {name: nodes["sample"].inputs[name] for name in given} == given
    assert (nodes["prompt"].inputs["text"], nodes["negative"].inputs["text"]) == ("a cat, Steps: of stone", "")
    assert nodes["prompt"].inputs["layer"] == 0


def test_a_larger_second_pass_of_a1111() -> None:
    both = "Steps: 20, Sampler: Euler, Seed: 5, Size: 512x768, Model: demo, Denoising strength: 0.5"
    latent = opened(f"a cat\n{both}, Hires upscale: 1.5, Hires steps: 8, Hires upscaler: Latent (bicubic)")
    nodes = latent.workflow.nodes
    assert {n: nodes["enlarge"].inputs[n] for n in ("factor", "filter")} == {"factor": 1.5, "filter": "bicubic"}
    second = nodes["second"].inputs
    assert [second[n] for n in ("seed", "steps", "strength", "comfyui")] == [5, 8, 0.5, True]
    assert (second["latent"], nodes["decode"].inputs["latent"]) == (Ref("enlarge", "latent"), Ref("second", "latent"))
    assert [note.code for note in latent.notes] == ["changed"]
    network = opened(f"a cat\n{both}, Hires resize: 1024x1536, Hires upscaler: R-ESRGAN 4x+")
    nodes = network.workflow.nodes
    assert (nodes["enlarge"].type, nodes["enlarge"].inputs["factor"]) == ("Upscale@1", 2.0)
    assert (nodes["again"].inputs["image"], nodes["second"].inputs["steps"]) == (Ref("enlarge", "image"), 20)
    assert any("'R-ESRGAN 4x+' is not here" in note.message for note in network.notes)
    # Of a picture made from another one only the strength is there.
    assert "not_carried" in {note.code for note in opened(f"a cat\n{both}").notes}


def test_lines_without_a_model_say_so() -> None:
    made = opened("a cat\nSteps: 20, Sampler: Euler, Model hash: 6ce0161689\nTemplate: a {cat|dog}")
    told = " ".join(note.message for note in made.notes)
    assert "name no model, only its hash, '6ce0161689'" in told
    assert "Template" in told
    assert opened(exif("jpeg", {}, b"ASCII\0\0\0" + INFOTEXT.encode())).workflow.nodes["size"].inputs["width"] == 640


def test_what_is_not_whole_in_a_drawing_is_said() -> None:
    raw = json.loads(FILES["drawn 0.4.json"])
    raw["nodes"].append({"type": "KSampler"})
    raw["links"] += [[99, 1], "x"]
    assert [(n.code, n.message) for n in opened(json.dumps(raw)).notes] == [
        ("unreadable", "1 of its nodes have no id and type, so they are left away"),
        ("unreadable", "2 of its links do not say from where to where, so they are left away"),
    ]


def test_model_names_are_looked_for() -> None:
    def source(name: str) -> tuple[Any, list[str]]:
        raw = json.dumps({"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": name}}})
        made = open_document(
            raw.encode(), REGISTRY, lambda name: ["demo", "sd/v1-5-pruned-emaonly.safetensors", "other.safetensors"]
        )
        return made.workflow.nodes["checkpoint_loader_simple_4"].inputs["source"], [str(n) for n in made.notes]

    assert source("demo") == ("demo", [])
    assert source("v1-5-pruned-emaonly.ckpt")[0] == "sd/v1-5-pruned-emaonly.safetensors"
    assert source("SD15\\V1-5-pruned-emaonly.safetensors")[0] == "sd/v1-5-pruned-emaonly.safetensors"
    name, notes = source("othr.safetensors")
    assert name == "othr.safetensors"
    assert "did you mean 'other.safetensors'?" in notes[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["KSampler", "3", "MODEL", "randomize", "Reroute", "PrimitiveNode", -10, -20, 2, 4]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["class_type", "inputs", "nodes", "links", "id", "type", "mode", "widget", "name", "link", "$from", "_meta"]
    ) | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
CANVASES = [
    {
        "nodes": [
            {"id": 1, "type": "CheckpointLoaderSimple", "outputs": [{"type": "MODEL"}], "widgets_values": ["x"]},
            {"id": 2, "type": "Reroute", "inputs": [{"name": "", "type": "*", "link": 1}]},
            {"id": 3, "type": "KSampler", "inputs": [{"name": "model", "type": "MODEL", "link": 2}],
             "widgets_values": [1, "fixed", 20, 8, "euler", "normal", 1], "mode": 0},
            {"id": 4, "type": "s", "inputs": [{"name": "a", "type": "*", "link": 2}]},
        ],
        "links": [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 3, 0, "*"]],
        "groups": [{"title": "g", "bounding": [0, 0, 1, 1]}],
        "definitions": {"subgraphs": [{"id": "s", "nodes": [{"id": 5, "type": "VAEDecode"}], "links": []}]},
    },
    {
        "nodes": [
            {"id": 1, "type": "CheckpointLoaderSimple", "outputs": [{"type": "MODEL"}], "widgets_values": ["x"]},
            {"id": 2, "type": "Anything Everywhere", "inputs": [{"name": "anything", "type": "MODEL", "link": 1}]},
            {"id": 3, "type": "Power Lora Loader (rgthree)", "inputs": [{"name": "model", "type": "MODEL"}],
             "widgets_values": [{}, {"on": True, "lora": "a", "strength": 1}, ""]},
            {"id": 4, "type": "ShowText|pysssh", "inputs": [{"name": "text", "type": "*", "link": 2}]},
        ],
        "links": [[1, 1, 0, 2, 0, "MODEL"], [2, 3, 0, 4, 0, "*"]],
    },
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A file of ComfyUI with some of its values replaced, renamed or taken away."""
    raw = json.loads(json.dumps(draw(st.sampled_from([*ALL.values(), *CANVASES]))))
    for _ in range(draw(st.integers(1, 6))):
        at = raw
        for _ in range(draw(st.integers(0, 5))):
            inner = [v for v in (at.values() if isinstance(at, dict) else at) if isinstance(v, dict | list) and v]
            if not inner:
                break
            at = inner[draw(st.integers(0, len(inner) - 1))]
        key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at)))) if at else None
        if key is None:
            continue
        match draw(st.integers(0, 2)):
            case 0:
                at[key] = draw(JSON)
            case 1:
                del at[key]
            case _ if isinstance(at, dict):
                at[draw(st.text(max_size=6))] = at.pop(key)
    return raw


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(
    {
        "nodes": [
            {"id": True, "type": "CheckpointLoaderSimple", "outputs": [{"type": "MODEL"}], "widgets_values": ["x"]},
            {"id": 3, "type": "KSampler", "inputs": [{"name": "model", "type": "MODEL", "link": 1}]},
        ],
        "links": [[1, 1, 0, 3, 0, "MODEL"]],
    }
)
@given(damaged())
def test_damage_gives_a_document_or_reasons(raw: Any) -> None:
    try:
        made = open_document(json.dumps(raw).encode(), REGISTRY)
    except InvalidWorkflow as error:
        assert error.problems
        return
    again = open_document(made.workflow.to_json().encode(), REGISTRY)
    assert again.workflow == made.workflow
    prompt = export(made.workflow, REGISTRY).prompt
    json.dumps(prompt)


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=300) | st.binary(max_size=300) | st.builds(lambda t: t + "\nSteps: 20, " + t, st.text(max_size=80))
)
def test_noise_gives_a_document_or_reasons(data: str | bytes) -> None:
    try:
        opened(data.encode("utf-8", "replace") if isinstance(data, str) else data)
    except InvalidWorkflow as error:
        assert error.problems
