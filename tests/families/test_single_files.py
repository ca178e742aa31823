"""Single files in the original layouts: what went in comes out, with no network."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import diffusers
import numpy as np
import pytest
import torch

from diffusion import layouts
from families import models, originals
from families.parity import close, document, engine, picture, run
from harness import step
from nodegraph import NodeError
from nodegraph_diffusion.checkpoint import ASSETS, open_model
from nodegraph_diffusion.comfyui.editing import TextEncodeQwenImageEdit
from nodegraph_diffusion.diffusion.loading import load, load_text_encoder, qwen_tokenizer
from nodegraph_diffusion.load_model import load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise AssertionError(f"the network was asked for {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


WHOLE: dict[str, tuple[Callable[[], Any], Callable[[Any], originals.State], str]] = {
    "sdxl": (models.sdxl, originals.sdxl, "sdxl"),
    "sdxl_refiner": (models.sdxl_refiner, originals.sdxl_refiner, "sdxl_refiner"),
    "sd_x4": (models.sd_x4, originals.sd_x4, "sd_x4"),
    "sd3": (models.sd3, originals.sd3, "sd3"),
    "flux_dev": (models.flux_dev, originals.flux_whole, "flux1"),
    "flux_schnell": (models.flux_schnell, originals.flux_whole, "flux1"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_went_in_comes_out(name: str, tmp_path: Path) -> None:
    make, layout, family = WHOLE[name]
    pipeline = make()
    found = open_model(str(originals.write(layout(pipeline), tmp_path / "a-lora.safetensors")))
    assert (found.family, found.kind) == (family, "file")
    for index, part in enumerate(found.parts):
        if part in found.text_encoders:
            module = load_text_encoder(found, torch.float32, CPU, index=found.text_encoders.index(part)).model
        else:
            module = load(found, part, torch.float32, CPU)
        given, wanted = module.state_dict(), getattr(pipeline, part.name).state_dict()
        assert given.keys() == wanted.keys(), (index, part.name)
        assert [key for key in wanted if not torch.equal(given[key], wanted[key])] == [], part.name
        for option, value in module.config.to_dict().items() if part in found.text_encoders else ():
            if option in ("hidden_act", "num_attention_heads", "num_hidden_layers", "d_kv", "num_heads"):
                assert value == getattr(getattr(pipeline, part.name).config, option), (part.name, option)


def qwen_image() -> Any:
    """One whose heads have room for three axes of places in the parts that the published one has."""
    pipeline = copy.copy(models.qwen_image())
    with models.seeded(40):
        pipeline.transformer = models.ready(
            diffusers.QwenImageTransformer2DModel(
                in_channels=64, out_channels=16, num_layers=2, attention_head_dim=32, num_attention_heads=1,
                joint_attention_dim=16, axes_dims_rope=(4, 14, 14),
            )
        )  # fmt: skip
    return pipeline


ALONE: dict[str, tuple[Callable[[], Any], Callable[[Any], originals.State]]] = {
    "chroma": (models.chroma, originals.chroma),
    "flux2_dev": (models.flux2_dev, originals.flux2),
    "flux2_klein": (models.flux2_klein, originals.flux2),
    "hidream": (models.hidream, originals.hidream),
    "qwen_image": (qwen_image, originals.qwen_image),
    "z_image": (models.z_image, originals.z_image),
}


@pytest.mark.parametrize("name", ALONE)
def test_denoisers_alone(name: str, tmp_path: Path) -> None:
    """Of the families whose text encoders and VAE stand elsewhere: the picture of the folder."""
    make, layout = ALONE[name]
    pipeline = make()
    pipeline.save_pretrained(tmp_path / "whole")
    originals.write(layout(pipeline), tmp_path / "alone.safetensors")
    found = open_model(str(tmp_path / "alone.safetensors"))
    assert (found.family, found.text_encoders, found.vae) == (name, (), None)
    module = load(found, found.denoiser, torch.float32, CPU)
    given, wanted = module.state_dict(), pipeline.transformer.state_dict()
    assert given.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(given[key], wanted[key])] == []
    kept = ("num_attention_heads", "attention_head_dim", "axes_dims_rope", "mlp_ratio", "n_heads", "axes_dims")
    for option in kept:
        if option in module.config:
            assert list(map(float, torch.tensor(module.config[option]).flatten())) == list(
                map(float, torch.tensor(pipeline.transformer.config[option]).flatten())
            ), option
    with engine(tmp_path) as made:
        nodes = document("alone.safetensors", negative=False)
        nodes["model"]["inputs"] |= {"text_encoder_from": "whole", "vae_from": "whole"}
        close(run(made, nodes), run(made, document("whole", negative=False)), 1e-5)


UNETS = {"sd1": models.sd1, "sdxl": models.sdxl, "sdxl_refiner": models.sdxl_refiner}


@pytest.mark.parametrize("layout", ["prefixed", "bare", "diffusers"])
@pytest.mark.parametrize("name", UNETS)
def test_unets_alone(name: str, layout: str, tmp_path: Path) -> None:
    pipeline = UNETS[name]()
    path = originals.write(originals.unet_alone(pipeline, layout), tmp_path / "alone.safetensors")
    found = open_model(str(path))
    assert (found.family, found.text_encoders, found.vae, found.prediction) == (name, (), None, "epsilon")
    module = load(found, found.denoiser, torch.float32, CPU)
    given, wanted = module.state_dict(), pipeline.unet.state_dict()
    assert given.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(given[key], wanted[key])] == []
    for option, value in pipeline.unet.config.items():
        if option.startswith(("cross", "block_out", "transformer", "addition", "projection", "in_ch", "down_b")):
            assert module.config[option] == value, option
    with pytest.raises(NodeError, match="holds no text encoders; name a model that has those of Stable Diffusion"):
        load_model(str(path))


def test_unets_of_2_are_told_from_those_of_1(tmp_path: Path) -> None:
    for family, wanted in (("sd15", "sd1"), ("sd21", "sd2")):
        unet = layouts.unet(layouts.build(family).unet)
        found = open_model(str(originals.write(unet, tmp_path / f"{family}.safetensors")))
        assert found.family == wanted
        assert found.prediction_guessed == (wanted == "sd2")


def test_a_unet_alone_makes_the_picture_of_the_whole(tmp_path: Path) -> None:
    pipeline = models.sdxl()
    pipeline.save_pretrained(tmp_path / "whole")
    originals.write(originals.unet_alone(pipeline, "bare"), tmp_path / "alone.safetensors")
    vae = originals.moved(layouts.vae(pipeline.vae), "first_stage_model.", "")
    originals.write(vae, tmp_path / "vae.safetensors")
    named = texts(pipeline, tmp_path, "text_encoder", "text_encoder_2")
    with engine(tmp_path) as made:
        nodes = document("alone.safetensors")
        nodes["model"]["inputs"] |= {"text_encoder_from": named, "vae_from": "vae.safetensors"}
        assert (run(made, nodes) == run(made, document("whole"))).all()


# -- a VAE, a text encoder --------------------------------------------------------------------------------------------


def texts(pipeline: Any, folder: Path, *names: str) -> str:
    """The text encoders of a pipeline as files of their own, by the names of transformers."""
    for name in names:
        state = {k: v for k, v in getattr(pipeline, name).state_dict().items() if k != "encoder.embed_tokens.weight"}
        originals.write(state, folder / f"{name}.safetensors")
    return ", ".join(f"{name}.safetensors" for name in names)


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_parts_in_files_of_their_own(layout: str, tmp_path: Path) -> None:
    pipeline = models.flux_dev()
    pipeline.save_pretrained(tmp_path / "whole")
    originals.write(originals.flux(pipeline), tmp_path / "alone.safetensors")
    vae = originals.moved(layouts.vae(pipeline.vae), "first_stage_model.", "")
    originals.write(vae if layout == "original" else pipeline.vae.state_dict(), tmp_path / "ae.safetensors")
    named = texts(pipeline, tmp_path, "text_encoder_2", "text_encoder")  # in either order
    with engine(tmp_path) as made:
        nodes = document("alone.safetensors", negative=False)
        nodes["model"]["inputs"] |= {"text_encoder_from": named, "vae_from": "ae.safetensors"}
        assert (run(made, nodes) == run(made, document("whole", negative=False))).all()


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_the_vae_of_flux2_in_a_file(layout: str, tmp_path: Path) -> None:
    pipeline = models.flux2_klein()
    state = originals.flux2_vae(pipeline.vae) if layout == "original" else dict(pipeline.vae.state_dict())
    alike(pipeline, "flux2_klein", state, tmp_path)


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_the_vae_of_qwen_image_in_a_file(layout: str, tmp_path: Path) -> None:
    pipeline = copy.copy(models.qwen_image())
    with models.seeded(41):
        pipeline.vae = models.ready(diffusers.AutoencoderKLQwenImage(base_dim=8))
    state = originals.wan_vae(pipeline.vae) if layout == "original" else dict(pipeline.vae.state_dict())
    alike(pipeline, "qwen_image", state, tmp_path)


def alike(pipeline: Any, family: str, state: originals.State, folder: Path) -> None:
    """A VAE in a file of its own is that of the pipeline, beside the pipeline's other parts."""
    pipeline.save_pretrained(folder / "whole")
    originals.write(state, folder / "vae.safetensors")
    found = load_model(str(folder / "whole"), vae_from=str(folder / "vae.safetensors")).vae.checkpoint
    assert found.family == family
    module = load(found, found.autoencoder, torch.float32, CPU)
    given, wanted = module.state_dict(), pipeline.vae.state_dict()
    assert given.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(given[key], wanted[key])] == []
    for option, value in pipeline.vae.config.items():
        if option.startswith(("latent", "block_out", "z_dim", "dim", "temperal", "layers", "num_res", "use_", "batch")):
            assert list(map(str, [module.config[option]])) == list(map(str, [value])) or list(
                module.config[option]
            ) == list(value), option
    with pytest.raises(NodeError, match=f"is a VAE alone, {type(module).__name__}; Stable Diffusion 1.x needs"):
        load_model("demo", vae_from=str(folder / "vae.safetensors"))


def test_two_text_encoders_of_one_kind_are_told_by_width_or_order(tmp_path: Path) -> None:
    pipeline = models.sd3()
    pipeline.save_pretrained(tmp_path / "whole")
    named = texts(pipeline, tmp_path, "text_encoder", "text_encoder_2", "text_encoder_3")
    with engine(tmp_path) as made:
        nodes = document("whole")
        nodes["model"]["inputs"]["text_encoder_from"] = named
        assert (run(made, nodes) == run(made, document("whole"))).all()


def test_parts_that_do_not_fit_are_refused_while_checking(tmp_path: Path) -> None:
    models.sd1().save_pretrained(tmp_path / "sd1")
    models.flux_dev().save_pretrained(tmp_path / "flux")
    models.z_image().save_pretrained(tmp_path / "z")
    flux_vae = layouts.vae(models.flux_dev().vae)
    originals.write(originals.moved(flux_vae, "first_stage_model.", ""), tmp_path / "ae.safetensors")
    clip = texts(models.flux_dev(), tmp_path, "text_encoder")
    qwen = models.z_image().text_encoder.state_dict()
    originals.write(qwen, tmp_path / "qwen.safetensors")
    originals.write(qwen | {"embed_tokens.weight": torch.zeros(300, 32)}, tmp_path / "wide.safetensors")
    llama = {name: value for name, value in qwen.items() if "_norm" not in name}
    originals.write(llama, tmp_path / "llama.safetensors")
    models.hidream().save_pretrained(tmp_path / "hidream")
    four = f"{texts(models.hidream(), tmp_path, 'text_encoder_2', 'text_encoder_3')}, {clip}, llama.safetensors"
    cases = {
        ("sd1", "vae_from", "ae.safetensors"): "is a VAE of 16 latent channels, but Stable Diffusion 1.x needs 4",
        ("flux", "text_encoder_from", clip): "text_encoder_2, but text_encoder_2 is not among text_encoder.safetensors",
        ("sd1", "text_encoder_from", f"{clip}, {clip}"): "but text_encoder.safetensors is none of them",
        ("sd1", "text_encoder_from", "qwen.safetensors"): "but text_encoder is not among qwen.safetensors",
        ("z", "text_encoder_from", "wide.safetensors"): "reads prompts of width 16, its text encoder writes 32",
        ("z", "text_encoder_from", "llama.safetensors"): "whose tokenizer does not come along. Name a diffusers folder",
        (
            "hidream",
            "text_encoder_from",
            four,
        ): "Put its tokenizer.json into a folder 'llama_tokenizer' beside the file",
        ("flux", "text_encoder_from", f"{clip}, ae.safetensors"): "needed files with one text encoder each",
        ("flux", "source", "ae.safetensors"): "looks like a VAE alone; name it in vae_from, beside its model",
        ("flux", "source", clip): "looks like a text encoder alone; name it in text_encoder_from",
    }
    with engine(tmp_path) as made:
        for (source, port, value), words in cases.items():
            nodes = {"model": step("LoadModel@1", **({"source": source} | {port: value}))}
            (problem,) = made.check(made.read({"nodes": nodes}))
            assert (problem.port, words in str(problem)) == (port, True), str(problem)


@pytest.mark.parametrize("name", ["z_image", "flux2_klein", "qwen_image"])
def test_a_language_model_in_a_file(name: str, tmp_path: Path) -> None:
    """By the names of its code, as ComfyUI's users pack it, with the vocabulary that comes along."""
    pipeline = copy.copy(models.FAMILIES[name]())
    pipeline.tokenizer = qwen_tokenizer(ASSETS / "tokenizers" / "qwen")
    if name == "qwen_image":
        pipeline.text_encoder, pipeline.transformer = models.published_qwen2_5(), models.qwen_transformer(128)
    else:
        pipeline.text_encoder = models.qwen3(28, vocab_size=151_936, rope_theta=1e6)
    pipeline.save_pretrained(tmp_path / "whole")
    state = {k: v for k, v in pipeline.text_encoder.state_dict().items() if k != "lm_head.weight"}
    parts = {"model.language_model.": "model.", "model.visual.": "visual."}
    for old, new in parts.items():
        state = {new + k.removeprefix(old) if k.startswith(old) else k: v for k, v in state.items()}
    originals.write(state, tmp_path / "text.safetensors")
    with engine(tmp_path) as made:
        nodes = document("whole", negative=False)
        whole = run(made, nodes)
        nodes["model"]["inputs"]["text_encoder_from"] = "text.safetensors"
        close(run(made, nodes), whole, 1e-5)
    if name == "qwen_image":  # which sees pictures too
        one, other = (
            TextEncodeQwenImageEdit(found.text_encoder, "a red fox", image=picture()).tokens
            for found in (
                load_model(str(tmp_path / "whole")),
                load_model(str(tmp_path / "whole"), text_encoder_from=str(tmp_path / "text.safetensors")),
            )
        )
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_sd3_does_without_t5(tmp_path: Path) -> None:
    pipeline = models.sd3()
    state = {k: v for k, v in originals.sd3(pipeline).items() if "t5xxl" not in k}
    originals.write(state, tmp_path / "m.safetensors")
    encoder = load_model(str(tmp_path / "m.safetensors")).text_encoder
    assert [weights is None for weights in encoder.encoders] == [False, False, True]
    with engine(tmp_path) as made:
        nodes = document("m.safetensors", steps=1)
        small = run(made, nodes)
    assert small.shape == (64, 64, 3)


def test_a_denoiser_alone_takes_the_rest_from_another_model(tmp_path: Path) -> None:
    pipeline = models.flux_dev()
    pipeline.save_pretrained(tmp_path / "whole")
    originals.write(originals.flux(pipeline), tmp_path / "alone.safetensors")
    with engine(tmp_path) as made:
        whole = run(made, document("whole", negative=False))
        nodes = document("alone.safetensors", negative=False)
        (problem, *_) = made.check(made.read({"nodes": nodes}))
        assert problem.port == "text_encoder_from"
        assert "alone.safetensors holds no text encoders; name a model that has those of Flux.1" in str(problem)
        nodes["model"]["inputs"] |= {"text_encoder_from": "whole", "vae_from": "whole"}
        assert (run(made, nodes) == whole).all()
    with pytest.raises(NodeError, match="holds no text encoders"):
        load_model(str(tmp_path / "alone.safetensors"))


@pytest.mark.parametrize("name", ["sd3", "flux_dev"])
def test_a_file_that_is_not_whole(name: str, tmp_path: Path) -> None:
    make, layout, _ = WHOLE[name]
    mark = {"sd3": "joint_blocks.1.context_block.attn.qkv.weight", "flux_dev": "single_blocks.1.linear2.bias"}[name]
    state = {k: v for k, v in layout(make()).items() if not k.endswith(mark)}
    assert len(state) == len(layout(make())) - 1
    found = open_model(str(originals.write(state, tmp_path / "m.safetensors")))
    with pytest.raises(ValueError, match="missing"):
        load(found, found.denoiser, torch.float32, CPU)
