"""Weights come out of both layouts as they went in, in one copy, with no network."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from diffusion import layouts
from nodegraph_diffusion.checkpoint import Checkpoint, ModelError, open_model
from nodegraph_diffusion.diffusion import loading
from nodegraph_diffusion.diffusion.loading import load_denoiser, load_text_encoder, load_vae

CPU = torch.device("cpu")
LOADERS: dict[str, Callable[..., nn.Module]] = {
    "unet": load_denoiser,
    "vae": load_vae,
    "text_encoder": lambda *args: load_text_encoder(*args).model,
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise AssertionError(f"the network was asked for {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def models() -> dict[tuple[str, int], layouts.Parts]:
    return {(f, n): layouts.build(f, n) for f in ("sd15", "sd21") for n in (4, 9)}


@pytest.fixture(scope="module")
def files(models: dict[tuple[str, int], layouts.Parts], module_folder: Path) -> dict[Any, Path]:
    """The same models as folders and as single files."""
    made: dict[Any, Path] = {}
    for (family, channels), parts in models.items():
        made[family, channels, "folder"] = layouts.save_folder(parts, module_folder / f"{family}-{channels}")
        made[family, channels, "file"] = layouts.save_single(parts, module_folder / f"{family}-{channels}.safetensors")
    return made


def load(checkpoint: Checkpoint, part: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    return LOADERS[part](checkpoint, dtype, CPU)


def same(found: nn.Module, expected: nn.Module) -> None:
    given, wanted = found.state_dict(), expected.state_dict()
    assert given.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(given[name], wanted[name])] == []


def outputs(part: str, module: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        if part == "unet":
            x = torch.randn(2, module.config.in_channels, 16, 16, generator=generator)
            tokens = torch.randn(2, 7, module.config.cross_attention_dim, generator=generator)
            return torch.as_tensor(module(x, torch.tensor(500), tokens).sample)
        if part == "vae":
            moments = module.encode(torch.randn(1, 3, 64, 64, generator=generator)).latent_dist.parameters
            return torch.as_tensor(module.decode(moments[:, :4]).sample)
        return torch.as_tensor(module(torch.randint(0, 49408, (2, 77), generator=generator)).last_hidden_state)


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize("family", ["sd15", "sd21"])
def test_what_went_in_comes_out(
    family: str,
    channels: int,
    layout: str,
    models: dict[tuple[str, int], layouts.Parts],
    files: dict[Any, Path],
) -> None:
    checkpoint = open_model(str(files[family, channels, layout]))
    for part in LOADERS:
        found, expected = load(checkpoint, part), getattr(models[family, channels], part)
        same(found, expected)
        assert torch.equal(outputs(part, found), outputs(part, expected)), part
        assert not found.training
        assert not any(p.requires_grad or p.is_meta for p in found.parameters())
        assert not any(b.is_meta for b in found.buffers())


def test_the_demo_model_loads() -> None:
    checkpoint = open_model("demo")
    for part in LOADERS:
        found = load(checkpoint, part)
        stored = load_file(next((checkpoint.root / part).glob("*.safetensors")))
        assert [k for k, v in found.state_dict().items() if not torch.equal(v, stored[k].float())] == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_are_converted(
    dtype: torch.dtype, models: dict[tuple[str, int], layouts.Parts], tmp_path: Path
) -> None:
    half = {k: v.half() for k, v in layouts.original(models["sd15", 4]).items()}
    save_file(half, tmp_path / "half.safetensors")
    found = load(open_model(str(tmp_path / "half.safetensors")), "unet", dtype).state_dict()
    for name, weights in models["sd15", 4].unet.state_dict().items():
        assert torch.equal(found[name], weights.half().to(dtype)), name


@pytest.mark.skipif(sys.platform != "linux", reason="reads the system's table of mapped files")
@pytest.mark.parametrize("layout", ["folder", "file"])
def test_nothing_is_copied_where_nothing_is_converted(layout: str, files: dict[Any, Path]) -> None:
    checkpoint = open_model(str(files["sd21", 4, layout]))
    modules = [load(checkpoint, part) for part in LOADERS]
    mapped: list[tuple[int, int]] = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if str(files["sd21", 4, layout]) in line:
            start, _, stop = line.split()[0].partition("-")
            mapped.append((int(start, 16), int(stop, 16)))
    assert mapped
    for module in modules:
        for name, weights in module.named_parameters():
            assert any(start <= weights.data_ptr() < stop for start, stop in mapped), name


@pytest.mark.parametrize("part", LOADERS)
def test_only_the_component_asked_for_is_read(
    part: str, files: dict[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Recording:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.file: Any = safe_open(*args, **kwargs)

        def __enter__(self) -> Recording:
            return self

        def __exit__(self, *args: object) -> None:
            self.file.__exit__(*args)

        def keys(self) -> list[str]:
            return list(self.file.keys())

        def get_tensor(self, name: str) -> torch.Tensor:
            read.append(name)
            return torch.as_tensor(self.file.get_tensor(name))

    monkeypatch.setattr(loading, "safe_open", Recording)
    load(open_model(str(files["sd15", 4, "file"])), part)
    prefix = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text_encoder": "cond_stage_model."}[part]
    assert read
    assert all(name.startswith(prefix) for name in read)


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("part", LOADERS)
def test_progress_ends_at_the_components_bytes(part: str, layout: str, files: dict[Any, Path]) -> None:
    checkpoint = open_model(str(files["sd15", 4, layout]))
    seen: list[tuple[int, int]] = []
    loader = load_text_encoder if part == "text_encoder" else LOADERS[part]
    loader(checkpoint, torch.float32, CPU, lambda done, total: seen.append((done, total)))
    size = {"unet": checkpoint.denoiser, "vae": checkpoint.autoencoder, "text_encoder": checkpoint.text_encoder}[
        part
    ].bytes
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)
    assert len(seen) > 20


def test_what_a_report_raises_ends_the_loading(files: dict[Any, Path]) -> None:
    class Enough(BaseException):
        pass

    def report(done: int, total: int) -> None:
        if done > total / 2:
            raise Enough

    with pytest.raises(Enough):
        load_vae(open_model(str(files["sd15", 4, "file"])), torch.float32, CPU, report)


# -- forms that files in the wild have --------------------------------------------------------------------------------


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    state = {k: v.clone() for k, v in load_file(path).items()}
    path.unlink()
    save_file(change(state), path)


def test_text_encoders_of_older_folders(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    folder = layouts.save_folder(models["sd15", 4], tmp_path / "m")
    rounded = torch.arange(77)[None].half() * 1.1  # what a conversion of the whole file did to the positions
    rewrite(
        folder / "text_encoder" / "model.safetensors",
        lambda state: (
            {f"text_model.{k}": v for k, v in state.items()} | {"text_model.embeddings.position_ids": rounded}
        ),
    )
    found = load(open_model(str(folder)), "text_encoder")
    same(found, models["sd15", 4].text_encoder)
    assert torch.equal(outputs("text_encoder", found), outputs("text_encoder", models["sd15", 4].text_encoder))


def test_single_files_without_the_level_text_model(
    models: dict[tuple[str, int], layouts.Parts], tmp_path: Path
) -> None:
    path = layouts.save_single(models["sd15", 4], tmp_path / "m.safetensors")
    rewrite(path, lambda s: {k.replace("transformer.text_model.", "transformer."): v for k, v in s.items()})
    same(load(open_model(str(path)), "text_encoder"), models["sd15", 4].text_encoder)


def test_vaes_of_older_folders(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def change(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        out = {}
        for key, value in state.items():
            old = key
            for new, name in names.items():
                old = old.replace(f"attentions.0.{new}.", f"attentions.0.{name}.")
            out[old] = value
        assert out.keys() != state.keys()
        return out

    folder = layouts.save_folder(models["sd15", 4], tmp_path / "m")
    rewrite(folder / "vae" / "diffusion_pytorch_model.safetensors", change)
    same(load(open_model(str(folder)), "vae"), models["sd15", 4].vae)


def test_folders_in_parts(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    folder = layouts.save_folder(models["sd15", 4], tmp_path / "m")
    shutil.rmtree(folder / "unet")
    models["sd15", 4].unet.save_pretrained(folder / "unet", max_shard_size="1MB")
    assert len(open_model(str(folder)).denoiser.files) > 2
    same(load(open_model(str(folder)), "unet"), models["sd15", 4].unet)
    next((folder / "unet").glob("*00002*")).unlink()
    with pytest.raises(ModelError, match=r"00002.*not there, but .*index.json names it"):
        open_model(str(folder))


def test_folders_of_a_variant(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    folder = layouts.save_folder(models["sd15", 4], tmp_path / "m", variant="fp16")
    assert not (folder / "unet" / "diffusion_pytorch_model.safetensors").exists()
    for part in LOADERS:
        same(load(open_model(str(folder)), part), getattr(models["sd15", 4], part))


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_files_whose_data_is_not_aligned(
    shift: int, models: dict[tuple[str, int], layouts.Parts], tmp_path: Path
) -> None:
    path = layouts.save_single(models["sd15", 4], tmp_path / "m.safetensors")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    path.write_bytes(
        (length + shift).to_bytes(8, "little") + content[8 : 8 + length] + b" " * shift + content[8 + length :]
    )
    found = load(open_model(str(path)), "vae")
    same(found, models["sd15", 4].vae)
    assert all(p.data_ptr() % 4 == 0 for p in found.parameters())


def test_ema_copies_are_left_alone(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    state = layouts.original(models["sd15", 4])
    ema = {k.replace("model.diffusion_model.", "model_ema.diffusion_model"): torch.zeros(1) for k in state}
    save_file({k: v.contiguous() for k, v in (ema | state).items()}, tmp_path / "m.safetensors")
    same(load(open_model(str(tmp_path / "m.safetensors")), "unet"), models["sd15", 4].unet)


# -- tokenizers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "padding"), [("sd15", 49407), ("sd21", 0)])
@pytest.mark.parametrize("layout", ["folder", "file"])
def test_tokenizers(family: str, padding: int, layout: str, files: dict[Any, Path]) -> None:
    tokenizer = load_text_encoder(open_model(str(files[family, 4, layout])), torch.float32, CPU).tokenizer
    ids = tokenizer("a photo of a cat", padding="max_length", max_length=77)["input_ids"]
    assert ids == [49406, 320, 1125, 539, 320, 2368, 49407] + [padding] * 70


# -- what is broken behind a good header ------------------------------------------------------------------------------


def test_missing_and_misshapen_tensors(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    path = layouts.save_single(models["sd15", 4], tmp_path / "m.safetensors")
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    rewrite(path, lambda state: {k: v for k, v in state.items() if k != name})
    with pytest.raises(ModelError, match=r"m.safetensors: 1 of the 684 tensors .* 'mid_block.resnets.0.conv1.weight'"):
        load(open_model(str(path)), "unet")
    rewrite(path, lambda state: state | {name: torch.zeros(64, 64, 3, 1)})
    with pytest.raises(ModelError, match=r"needs shape \(64, 64, 3, 3\), found \(64, 64, 3, 1\)"):
        load(open_model(str(path)), "unet")
    pair = "first_stage_model.encoder.down.0.downsample.conv.bias"
    rewrite(path, lambda state: {k: v for k, v in state.items() if k != pair})
    with pytest.raises(ModelError, match="are missing"):
        load(open_model(str(path)), "vae")


def test_a_file_that_went_away(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    path = layouts.save_single(models["sd15", 4], tmp_path / "m.safetensors")
    checkpoint = open_model(str(path))
    path.unlink()
    with pytest.raises(ModelError, match=r"m.safetensors: is gone since"):
        load(checkpoint, "vae")
    path.write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match=r"m.safetensors: cannot be read"):
        load(checkpoint, "vae")


def test_a_configuration_of_no_module(files: dict[Any, Path]) -> None:
    checkpoint = open_model(str(files["sd15", 4, "folder"]))
    for change in ({"down_block_types": ["Nothing"] * 4}, {"block_out_channels": 3}, {"norm_num_groups": "many"}):
        broken = replace(checkpoint.denoiser, config=dict(checkpoint.denoiser.config) | change)
        with pytest.raises(ModelError, match="a configuration describes no module"):
            load(replace(checkpoint, denoiser=broken), "unet")


def test_a_folder_configured_for_other_weights(models: dict[tuple[str, int], layouts.Parts], tmp_path: Path) -> None:
    folder = layouts.save_folder(models["sd15", 4], tmp_path / "m")
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"latent_channels": 16}))
    with pytest.raises(ModelError, match=r"needs shape .*, found .*. Weights and configuration differ"):
        load(open_model(str(folder)), "vae")
