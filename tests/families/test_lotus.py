"""Lotus-D, against its UNet asked once about the latent of a picture; diffusers has no pipeline for it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from diffusion import layouts
from families import models, originals
from families.parity import close, engine, picture, save
from interop.wirings import node
from nodegraph.interop import open_document
from nodegraph.interop.outward import export
from nodegraph_diffusion.checkpoint import ModelError, open_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def unet(**changes: Any) -> Any:
    small = models.config(
        "sd21", "unet", block_out_channels=[64, 64, 128, 128], attention_head_dim=[1, 1, 2, 2], cross_attention_dim=64,
        sample_size=8, **changes,
    )  # fmt: skip
    with models.seeded(33):
        return models.ready(diffusers.UNet2DConditionModel.from_config(small), ("attn2", "class_embedding"))


def told(channels: int = 4) -> Any:
    return unet(class_embed_type="projection", projection_class_embeddings_input_dim=4, in_channels=channels)


def stable_diffusion_2() -> Any:
    return models.quiet(
        diffusers.StableDiffusionPipeline(
            vae=models.autoencoder("sd21"), text_encoder=models.clip(act="gelu"), tokenizer=models.clip_tokenizer("!"),
            unet=unet(), scheduler=diffusers.DDIMScheduler(**models.STABLE_DIFFUSION), safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
        )
    )  # fmt: skip


def template(vae: str) -> dict[str, Any]:
    """As ComfyUI's example workflow has it."""
    return {
        "10": node("UNETLoader", unet_name="lotus.safetensors", weight_dtype="default"),
        "12": node("LoadImage", image="picture.png"),
        "14": node("VAELoader", vae_name=vae),
        "23": node("VAEEncode", pixels_="12.0", vae_="14.0"),
        "18": node("DisableNoise"),
        "68": node("LotusConditioning"),
        "19": node("BasicGuider", model_="10.0", conditioning_="68.0"),
        "20": node("BasicScheduler", model_="10.0", scheduler="normal", steps=1, denoise=1.0),
        "28": node("SetFirstSigma", sigmas_="20.0", sigma=999.0000000000002),
        "21": node("KSamplerSelect", sampler_name="euler"),
        "16": node(
            "SamplerCustomAdvanced", noise_="18.0", guider_="19.0", sampler_="21.0", sigmas_="28.0",
            latent_image_="23.0",
        ),
        "8": node("VAEDecode", samples_="16.0", vae_="14.0"),
        "22": node("ImageInvert", image_="8.0"),
        "9": node("PreviewImage", images_="22.0"),
    }  # fmt: skip


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_the_template_says_what_the_network_does(layout: str, tmp_path: Path) -> None:
    pipeline, network = stable_diffusion_2(), told()
    pipeline.save_pretrained(tmp_path / "sd2")
    state = layouts.unet(network) if layout == "original" else dict(network.state_dict())
    originals.write(state, tmp_path / "lotus.safetensors")
    save_file(dict(pipeline.vae.state_dict()), tmp_path / "vae.safetensors")
    save(picture(), tmp_path / "picture.png")
    with torch.no_grad():
        marks = torch.tensor([[pipeline.tokenizer.bos_token_id, pipeline.tokenizer.eos_token_id]])
        said = pipeline.text_encoder(marks).last_hidden_state
        scaling = pipeline.vae.config.scaling_factor
        seen = pipeline.vae.encode(torch.from_numpy(picture().pixels.copy()) * 2 - 1).latent_dist.mode() * scaling
        task = torch.tensor([[math.sin(1), math.sin(0), math.cos(1), math.cos(0)]])
        made = network(seen, 999, said, class_labels=task).sample
        shown = pipeline.image_processor.postprocess(pipeline.vae.decode(made / scaling).sample, "np")[0]
    with engine(tmp_path) as running:
        opened = open_document(json.dumps(template("vae.safetensors")).encode(), running.registry)
        assert not opened.notes
        document = opened.workflow.to_dict()
        document["nodes"][opened.origin["12"]]["inputs"]["file"] = str(tmp_path / "picture.png")
        prompt = document["nodes"][opened.origin["68"]]["inputs"]
        problems = running.check(running.read(document))
        assert [problem.port for problem in problems] == ["text_encoder_from"]
        assert "name a Stable Diffusion 2 model in text_encoder_from" in str(problems[0])
        prompt["text_encoder_from"] = "lotus.safetensors"
        assert "without text encoders" in str(running.check(running.read(document)))
        prompt["text_encoder_from"] = "sd2"
        workflow = running.read(document)
        assert running.check(workflow) == []
        (name,) = workflow.outputs
        image = running.run(workflow)[name]
        assert export(workflow, running.registry).prompt["68"]["inputs"] == {}
    close(image.pixels[0].transpose(1, 2, 0), 1 - shown)
    assert np.abs(shown - picture().pixels[0].transpose(1, 2, 0)).max() > 0.1


def test_what_is_like_it_is_told_apart(tmp_path: Path) -> None:
    originals.write(dict(told(8).state_dict()), tmp_path / "lotus_g.safetensors")
    with pytest.raises(ModelError, match="Lotus-G, of which Lotus-D is known"):
        open_model(str(tmp_path / "lotus_g.safetensors"))
    pipeline = stable_diffusion_2()
    pipeline.unet = told()
    pipeline.save_pretrained(tmp_path / "folder")
    found = open_model(str(tmp_path / "folder"))
    assert (found.family, found.prediction) == ("lotus", "direct")
    with pytest.raises(ModelError, match="Lotus-D, which predicts neither"):
        open_model(str(tmp_path / "folder"), predicts="epsilon")
