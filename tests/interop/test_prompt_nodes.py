"""Classes that change prompts and models, there and back."""

from __future__ import annotations

import json

import nodegraph_diffusion.comfyui
from interop.test_wirings import BARE, trees
from interop.wirings import Prompt, checkpoint, decoded, empty, node, sampler, text
from nodegraph import Registry
from nodegraph.interop import open_document
from nodegraph.interop.outward import export
from nodegraph.migrate import read_workflow
from nodegraph.workflow import Ref

REGISTRY = Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack)
PROMPT: Prompt = {
    "1": checkpoint("demo"),
    "2": node(
        "LoraLoader", lora_name="a.safetensors", strength_model=0.8, strength_clip=0.5, model_="1.0", clip_="1.1"
    ),
    "3": text("2.1", "a cat"),
    "4": text("2.1", "a dog"),
    "5": node("ConditioningAverage", conditioning_to_="3.0", conditioning_from_="4.0", conditioning_to_strength=0.7),
    "6": node("ConditioningConcat", conditioning_to_="5.0", conditioning_from_="4.0"),
    "7": node("SolidMask", value=1.0, width=64, height=64),
    "8": node("ConditioningSetMask", conditioning_="6.0", mask_="7.0", strength=0.9, set_cond_area="default"),
    "10": node("ConditioningCombine", conditioning_1_="8.0", conditioning_2_="3.0"),
    "11": node("FluxGuidance", guidance=2.5, conditioning_="10.0"),
    "12": node("ConditioningZeroOut", conditioning_="3.0"),
    "13": empty(64),
    "14": sampler("2.0", "11.0", "12.0", "13.0", 5, 4, 3.0, "euler"),
    **decoded("14.0", "1.2", "15", "16"),
}


def test_there_and_back() -> None:
    opened = open_document(json.dumps(PROMPT).encode(), REGISTRY)
    assert opened.notes == ()
    nodes = opened.workflow.nodes
    assert nodes["k_sampler_14"].inputs["guidance"] == 2.5
    assert nodes["conditioning_average_5"].inputs["amount"] == 0.3
    assert nodes["lora_loader_2"].type == "ApplyLora@1"
    made = export(opened.workflow, REGISTRY)
    assert made.whole
    assert trees(made.prompt) == trees(PROMPT)


def test_what_our_own_nodes_cannot_say_is_said_or_has_a_twin() -> None:
    bounds = {**PROMPT, "8": node("ConditioningSetMask", conditioning_="6.0", mask_="7.0", set_cond_area="mask bounds")}
    opened = open_document(json.dumps(bounds).encode(), BARE)
    told = {note.node: note.message for note in opened.notes}
    assert "set_cond_area has no place in RestrictToMask" in told["conditioning_set_mask_8"]
    twin = open_document(json.dumps(bounds).encode(), REGISTRY)
    assert twin.notes == ()
    assert trees(export(twin.workflow, REGISTRY).prompt) == trees(bounds)


def test_auto_is_written_as_what_it_most_often_means() -> None:
    opened = open_document(json.dumps(PROMPT).encode(), REGISTRY)
    raw = opened.workflow.to_dict()
    raw["nodes"]["k_sampler_14"]["inputs"] |= {"sampler": "auto", "schedule": "auto"}
    made = export(open_document(json.dumps(raw).encode(), REGISTRY).workflow, REGISTRY)
    inputs = made.prompt["14"]["inputs"]
    assert (inputs["sampler_name"], inputs["scheduler"]) == ("dpmpp_2m", "karras")
    assert [(n.code, n.port) for n in made.notes] == [("changed", "sampler"), ("changed", "schedule")]


def test_a_bypassed_node_is_not_written_and_what_it_passes_on_is() -> None:
    raw = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "a"}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "b"}},
    }
    document = open_document(json.dumps(raw).encode(), REGISTRY).workflow.to_dict()
    types = {id: step["type"].partition("@")[0] for id, step in document["nodes"].items()}
    invert = next(id for id, type in types.items() if "Invert" in type)
    saves = [id for id, type in types.items() if type == "SaveImage"]
    document["nodes"][invert]["mode"] = "bypass"
    document["nodes"][saves[1]]["mode"] = "mute"
    written = export(read_workflow(document, REGISTRY), REGISTRY).prompt
    classes = {node["class_type"]: id for id, node in written.items()}
    assert set(classes) == {"EmptyImage", "SaveImage"}
    assert written[classes["SaveImage"]]["inputs"]["images"] == [classes["EmptyImage"], 0]


def test_pictures_that_are_shown_to_models_for_editing() -> None:
    kontext: Prompt = {
        "1": checkpoint("demo"),
        "2": text("1.1", "make it night"),
        "3": node("LoadImageOutput", image="a.png [output]"),
        "4": node("LoadImage", image="b.png"),
        "5": node(
            "ImageStitch", direction="right", match_image_size=True, spacing_width=0, spacing_color="white",
            image1_="3.0", image2_="4.0",
        ),
        "6": node("FluxKontextImageScale", image_="5.0"),
        "7": node("VAEEncode", pixels_="6.0", vae_="1.2"),
        "8": node("ReferenceLatent", conditioning_="2.0", latent_="7.0"),
        "9": node("FluxGuidance", guidance=2.5, conditioning_="8.0"),
        "10": node("ConditioningZeroOut", conditioning_="2.0"),
        "11": sampler("1.0", "9.0", "10.0", "7.0", 5, 4, 1.0, "euler", "simple"),
        **decoded("11.0", "1.2", "12", "13"),
    }  # fmt: skip
    opened = open_document(json.dumps(kontext).encode(), REGISTRY)
    assert {n.code for n in opened.notes} <= {"changed"}
    nodes = opened.workflow.nodes
    assert nodes["reference_latent_8"].type == "comfyui/ReferenceLatent@1"
    assert nodes["load_image_output_3"].inputs["file"] == "a.png"
    made = export(opened.workflow, REGISTRY)
    assert made.whole
    plain = json.loads(json.dumps(kontext).replace(" [output]", ""))
    assert trees(made.prompt) == trees(plain)


def test_transparency_and_moving_pictures_are_saved() -> None:
    prompt: Prompt = {
        "1": node("LoadImage", image="a.png"),
        "2": node("JoinImageWithAlpha", image_="1.0", alpha_="1.1"),
        "3": node("SaveImage", images_="2.0", filename_prefix="cut"),
        "4": node(
            "SaveAnimatedWEBP", images_="1.0", filename_prefix="moving", fps=4.0, lossless=False, quality=70,
            method="default",
        ),
        "5": node("SaveAnimatedPNG", images_="1.0", filename_prefix="moving", fps=2.5, compress_level=4),
    }  # fmt: skip
    opened = open_document(json.dumps(prompt).encode(), REGISTRY)
    nodes = opened.workflow.nodes
    assert nodes["save_image_3"].inputs["transparent"] == Ref("load_image_1", "mask")
    assert {nodes[f"save_animated_{name}"].inputs["format"] for name in ("webp_4", "png_5")} == {"webp", "apng"}
    made = export(opened.workflow, REGISTRY)
    assert made.whole
    assert trees(made.prompt) == trees(prompt)
