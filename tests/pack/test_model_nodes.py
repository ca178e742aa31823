"""LoadModel, EncodePrompt, EmptyLatent, EncodeImage and Decode, alone and in an engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nodegraph_diffusion.decode
import nodegraph_diffusion.empty_latent
import nodegraph_diffusion.encode_image
import nodegraph_diffusion.encode_prompt
import nodegraph_diffusion.load_model
from diffusion import layouts
from harness import cached, link, ran, step
from nodegraph import Engine, Folders, NodeError, Pack, Registry, RunFailed
from nodegraph.codec import Codec
from nodegraph.events import Event, Progress, Warned
from nodegraph_diffusion.decode import decode
from nodegraph_diffusion.diffusion import devices
from nodegraph_diffusion.empty_latent import empty_latent
from nodegraph_diffusion.encode_image import encode_image
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import Image, Latent, Mask

MODULES = ("load_model", "encode_prompt", "empty_latent", "encode_image", "decode")
REGISTRY = Registry(Pack.of("", *(getattr(nodegraph_diffusion, name) for name in MODULES)))
PROMPT = {
    "model": step("LoadModel@1", source="model.safetensors"),
    "prompt": step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text="a cat"),
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(REGISTRY, folders=Folders(models=(tmp_path,)))
    yield made
    made.close()


def run(engine: Engine, nodes: dict[str, Any]) -> list[Event]:
    events: list[Event] = []
    engine.run(engine.read({"nodes": nodes}), on_event=events.append)
    return events


def disc(height: int, width: int) -> Image:
    y, x = np.mgrid[:height, :width]
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < 20**2
    bright, dark = (np.array(colour, np.float32).reshape(3, 1, 1) for colour in ((0.9, 0.7, 0.2), (0.2, 0.5, 0.8)))
    return Image(np.where(inside, bright, dark)[None])


# -- LoadModel --------------------------------------------------------------------------------------------------------


def test_handles_say_what_to_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "computes", lambda dtype: True)
    model, text_encoder, vae = load_model("demo", dtype="bfloat16", device="cpu")
    assert model.denoiser.name == "denoiser of demo"
    assert text_encoder.encoder.place == "cpu"
    assert vae.autoencoder.size == 2 * vae.checkpoint.autoencoder.elements
    assert model.denoiser.key == load_model("demo", dtype="bfloat16")[0].denoiser.key
    keys = {model.denoiser.key, load_model("demo")[0].denoiser.key, vae.autoencoder.key}
    assert len(keys) == 3
    weights = model.denoiser.load(lambda done, total: None)
    assert next(weights.parameters()).dtype == torch.bfloat16
    model.denoiser.drop(weights)
    assert all(p.is_meta for p in weights.parameters())


def test_a_processor_that_cannot_compute_in_a_half_type_takes_float32_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "computes", lambda dtype: False)
    with pytest.warns(UserWarning, match="computes in float32: this processor has no instructions for float16"):
        model = load_model("demo", dtype="float16")[0]
    assert model.denoiser.key == load_model("demo")[0].denoiser.key


def test_handles_survive_the_cache() -> None:
    codec = Codec(REGISTRY.classes())
    for handle in load_model("demo"):
        again = codec.decode(codec.encode(handle))
        assert again == handle
        assert type(again) is type(handle)


def test_what_cannot_be_loaded_is_a_problem_before_anything_runs(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"PK\3\4")
    (problem,) = engine.check(engine.read({"nodes": PROMPT}))
    assert (problem.code, problem.node, problem.port) == ("unusable", "model", "source")
    assert "found a zip archive" in str(problem)
    for device in ("cuda", "mps", "cuda:7"):
        if not torch.cuda.is_available() and not torch.backends.mps.is_available():
            with pytest.raises(NodeError, match=f"no device '{device}' that PyTorch can use; there is cpu") as caught:
                load_model("demo", device=device)
            assert caught.value.port == "device"


def test_a_changed_file_is_loaded_anew(engine: Engine, tmp_path: Path) -> None:
    path = layouts.save_single(layouts.build("sd15"), tmp_path / "model.safetensors")
    assert ran(run(engine, PROMPT)) == ["model", "prompt"]
    assert cached(run(engine, PROMPT)) == ["prompt"]
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    events = run(engine, PROMPT)
    assert ran(events) == ["model", "prompt"]
    loading = [e for e in events if isinstance(e, Progress)]
    assert {(e.node, e.what) for e in loading} == {("prompt", "loading text encoder of model.safetensors")}
    assert loading[-1].step == loading[-1].total > 10_000_000


def test_a_guess_is_told(engine: Engine, tmp_path: Path) -> None:
    layouts.save_single(layouts.build("sd21"), tmp_path / "model.safetensors")
    (warned,) = [e for e in run(engine, PROMPT) if isinstance(e, Warned)]
    assert "takes model.safetensors to predict epsilon: a guess from one norm's spread" in warned.message
    told = PROMPT | {"model": step("LoadModel@1", source="model.safetensors", prediction="v_prediction")}
    assert not [e for e in run(engine, told) if isinstance(e, Warned)]


def test_models_are_listed_with_what_they_are(tmp_path: Path) -> None:
    layouts.save_single(layouts.build("sd15", 9), tmp_path / "paint.safetensors")
    layouts.save_folder(layouts.build("sd21"), tmp_path / "two", prediction="v_prediction")
    (tmp_path / "broken.safetensors").touch()
    found = REGISTRY.choices("models", Folders(models=(tmp_path,)))
    assert list(found) == ["demo", "broken.safetensors", "paint.safetensors", "two"]
    assert found["demo"].startswith("the shipped demo model, epsilon, F16, 24 MB")
    assert found["two"].startswith("Stable Diffusion 2.x, diffusers folder, v_prediction, F32")
    assert found["paint.safetensors"].startswith("Stable Diffusion 1.x, single file, for inpainting, epsilon")
    assert found["broken.safetensors"].startswith("cannot be used: ")


def test_torch_waits_until_weights_are_leased() -> None:
    code = (
        "import sys\n"
        "from nodegraph import Engine, Pack, Registry\n"
        f"import {', '.join(f'nodegraph_diffusion.{name}' for name in MODULES)}\n"
        f"pack = Pack.of('', {', '.join(f'nodegraph_diffusion.{name}' for name in MODULES)})\n"
        "with Engine(Registry(pack)) as engine:\n"
        "    engine.run(engine.read({'nodes': {'a': {'type': 'LoadModel@1', 'inputs': {'source': 'demo'}},"
        " 'b': {'type': 'EmptyLatent@1', 'inputs': {}}}}))\n"
        "print(*sorted({'torch', 'diffusers', 'transformers', 'safetensors', 'numpy'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# -- EncodePrompt -----------------------------------------------------------------------------------------------------


def test_a_prompt_becomes_conditioning() -> None:
    text_encoder = load_model("demo").text_encoder
    plain, weighted = encode_prompt(text_encoder, "a cat"), encode_prompt(text_encoder, "a (cat:1.5)")
    assert plain.tokens.shape == (1, 32, 128)
    assert not np.array_equal(plain.tokens, weighted.tokens)
    with pytest.raises(NodeError, match=r"has layers 1 \(the last\) to 3, got 9") as caught:
        encode_prompt(text_encoder, "a cat", layer=9)
    assert caught.value.port == "layer"


def test_weights_that_are_damaged_are_the_leasing_nodes_error(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    name = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    layouts.save_single(layouts.build("sd15"), path, extra={name: torch.zeros(63)})
    with pytest.raises(RunFailed, match=r"final_layer_norm.weight' needs shape \(64,\), found \(63,\)"):
        run(engine, PROMPT)


# -- EmptyLatent, EncodeImage, Decode ---------------------------------------------------------------------------------


def test_an_empty_latent_is_a_size() -> None:
    latent = empty_latent(96, 64, 3)
    assert (latent.width, latent.height, latent.batch, latent.samples) == (96, 64, 3, None)
    with pytest.raises(NodeError, match="too large"):
        empty_latent(16384, 16384, 4096)
    with pytest.raises(NodeError, match="holds no picture yet; put `Sample` between"):
        decode(load_model("demo").vae, latent)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (61, 50)])
def test_a_picture_comes_back(height: int, width: int) -> None:
    vae, picture = load_model("demo").vae, disc(height, width)
    latent = encode_image(vae, picture)
    assert (latent.width, latent.height, latent.batch, latent.sigma) == (width, height, 1, 0)
    assert latent.mask is latent.masked is None
    back = decode(vae, latent)
    assert back.pixels.shape == picture.pixels.shape
    assert -10 * np.log10(np.mean((back.pixels - picture.pixels) ** 2)) > 20
    assert np.array_equal(decode(vae, latent, tiled="always").pixels, back.pixels)


def test_a_mask_travels_with_the_latent() -> None:
    vae, picture = load_model("demo").vae, disc(64, 64)
    masks = Mask(np.stack([np.zeros((64, 64), np.float32), np.eye(64, dtype=np.float32)]))
    latent = encode_image(vae, picture, masks)
    assert latent.batch == 2
    assert latent.mask is not None
    assert np.array_equal(latent.mask, masks.values)
    assert latent.samples is not None
    assert np.array_equal(latent.samples[0], latent.samples[1])
    assert latent.masked is None, "this model does not read it"


def test_inpainting_models_get_the_picture_with_its_hole_hidden(tmp_path: Path) -> None:
    path = layouts.save_single(layouts.build("sd15", 9), tmp_path / "model.safetensors")
    vae, picture = load_model(str(path)).vae, disc(32, 40)
    hole = np.zeros((2, 32, 40), np.float32)
    hole[1, 8:24, 8:24] = 1
    latent = encode_image(vae, picture, Mask(hole))
    grey = picture.pixels.copy()
    grey[:, :, 8:24, 8:24] = 0.5
    assert latent.masked is not None
    assert latent.samples is not None
    assert latent.masked.shape == latent.samples.shape == (2, 4, 4, 5)
    for index, expected in ((0, picture), (1, Image(grey))):
        samples = encode_image(vae, expected).samples
        assert samples is not None
        assert np.array_equal(latent.masked[index], samples[0])


def test_what_does_not_go_together_is_refused() -> None:
    vae = load_model("demo").vae
    with pytest.raises(NodeError, match="the mask is 32 x 64, the picture 64 x 64; resize one to the other"):
        encode_image(vae, disc(64, 64), Mask(np.zeros((1, 64, 32), np.float32)))
    with pytest.raises(NodeError, match="image has 2, mask has 3"):
        encode_image(vae, Image(np.zeros((2, 3, 64, 64), np.float32)), Mask(np.zeros((3, 64, 64), np.float32)))
    with pytest.raises(NodeError, match="decodes latents of 12 channels, got 16"):
        decode(vae, Latent(64, 64, 1, np.zeros((1, 16, 16, 16), np.float32)))
    with pytest.warns(UserWarning, match=r"still holds noise \(sigma 3\)"):
        decode(vae, Latent(64, 64, 1, np.zeros((1, 12, 8, 8), np.float32), sigma=3.0))
