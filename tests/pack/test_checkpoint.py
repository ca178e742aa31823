"""What models are, told from their headers: the families' published figures, and every kind of broken file."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion import layouts
from nodegraph import Folders, NodeError
from nodegraph_diffusion.adapter_files import SHIPPED, AdapterFiles
from nodegraph_diffusion.checkpoint import ASSETS, ModelError, list_models, open_model
from nodegraph_diffusion.checkpoint.adapters import Adapter, open_adapter
from nodegraph_diffusion.checkpoint.header import digest
from nodegraph_diffusion.checkpoint.spaces import Space, space
from nodegraph_diffusion.checkpoint.state import RECENT
from nodegraph_diffusion.families import FAMILIES

ENTRY = "model.diffusion_model.input_blocks.0.0.weight"
NORM = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"


@pytest.fixture(scope="module")
def full() -> dict[str, layouts.State]:
    """Names and shapes of the whole models, without weights."""
    return {family: layouts.original(layouts.build(family, tiny=False, device="meta")) for family in ("sd15", "sd21")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layouts.save_folder(layouts.build("sd15"), tmp_path_factory.mktemp("folder") / "model")


def message(source: Path | str, folders: list[Path] | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(str(source), folders or [])
    return str(caught.value)


# -- what is found ----------------------------------------------------------------------------------------------------

FIGURES = {"sd15": ("sd1", 768, 859_520_964, 123_060_480), "sd21": ("sd2", 1024, 865_910_724, 340_387_840)}


@pytest.mark.parametrize("name", FIGURES)
def test_a_single_file_is_known_by_names_and_shapes(name: str, full: dict[str, layouts.State], tmp_path: Path) -> None:
    family, width, unet_size, text_size = FIGURES[name]
    found = open_model(str(layouts.save_hollow(full[name], tmp_path / "an-sdxl-lora.safetensors")))
    assert (found.family, found.kind) == (family, "file")
    assert (found.in_channels, space(found.autoencoder)) == (4, Space(4, 8, 0.18215))
    assert FAMILIES[family].width(found.denoiser.config) == width
    assert found.denoiser.elements == unet_size
    assert found.denoiser.bytes == 4 * unet_size
    assert found.autoencoder.elements == 83_653_863
    for part, config in (("denoiser", "unet"), ("vae", "vae"), ("text_encoder", "text_encoder")):
        assert getattr(found, part).config == layouts.config(name, config), part
    # Of OpenCLIP's 24 layers the last is not used; its projection and logit scale are not either.
    unused = (width * width + 1 + 12 * width * width + 13 * width) * (family == "sd2")
    assert found.text_encoder.elements == text_size + unused
    assert found.scheduler["beta_schedule"] == "scaled_linear"
    assert (found.scheduler["beta_start"], found.scheduler["beta_end"]) == (0.00085, 0.012)


def test_inpainting_models_have_nine_channels(full: dict[str, layouts.State], tmp_path: Path) -> None:
    for name in ("sd15", "sd21"):
        state = full[name] | {ENTRY: torch.empty(320, 9, 3, 3, device="meta")}
        found = open_model(str(layouts.save_hollow(state, tmp_path / f"{name}.safetensors")))
        assert (found.in_channels, found.prediction) == (9, "epsilon")


def test_half_precision_is_seen(full: dict[str, layouts.State], tmp_path: Path) -> None:
    halves = {k: v.half() if v.is_floating_point() else v for k, v in full["sd15"].items()}
    found = open_model(str(layouts.save_hollow(halves, tmp_path / "model.safetensors")))
    assert (found.denoiser.dtype, found.denoiser.bytes) == ("F16", 2 * found.denoiser.elements)


def test_the_text_encoder_may_lack_its_middle_name(full: dict[str, layouts.State], tmp_path: Path) -> None:
    renamed = {k.replace("transformer.text_model.", "transformer."): v for k, v in full["sd15"].items()}
    found = open_model(str(layouts.save_hollow(renamed, tmp_path / "model.safetensors")))
    assert found.text_encoder.config == layouts.config("sd15", "text_encoder")


def test_prediction_of_a_2x_file(tmp_path: Path) -> None:
    parts = layouts.build("sd21")
    path = tmp_path / "model.safetensors"
    wide, marked = torch.linspace(-1, 1, 64), {"v_pred": torch.zeros(1)}

    def of(extra: layouts.State, metadata: dict[str, str] | None = None) -> tuple[str, str]:
        found = open_model(str(layouts.save_single(parts, path, metadata, extra)))
        assert found.scheduler["prediction_type"] == found.prediction
        return found.prediction, found.prediction_from

    assert of({NORM: 0.1 * wide}) == ("epsilon", "a guess from one norm's spread, 0.059")
    assert of({NORM: wide})[0] == "v_prediction"
    assert of({NORM: wide.half()})[0] == of({NORM: wide.bfloat16()})[0] == "v_prediction"
    assert of(marked) == ("v_prediction", "the file's marker 'v_pred'")
    assert of({}, {"modelspec.prediction_type": "v"}) == ("v_prediction", "the file's metadata")
    assert of(marked, {"modelspec.prediction_type": "epsilon"})[0] == "epsilon"
    told = open_model(str(path), predicts="v_prediction")
    assert (told.prediction, told.prediction_from) == ("v_prediction", "the input")
    assert told.scheduler["prediction_type"] == "v_prediction"


def test_a_file_marked_ztsnr_goes_down_to_pure_noise(tmp_path: Path) -> None:
    parts = layouts.build("sd15")
    markers = {"v_pred": torch.zeros(1), "ztsnr": torch.zeros(1)}
    marked = layouts.save_single(parts, tmp_path / "a.safetensors", extra=markers)
    assert open_model(str(marked)).scheduler["rescale_betas_zero_snr"] is True
    plain = layouts.save_single(parts, tmp_path / "b.safetensors")
    assert not open_model(str(plain)).scheduler.get("rescale_betas_zero_snr", False)


def test_a_folder(folder: Path) -> None:
    found = open_model(str(folder))
    assert (found.kind, found.family, found.prediction, found.in_channels) == ("folder", "sd1", "epsilon", 4)
    assert found.denoiser.files == (os.path.join("unet", "diffusion_pytorch_model.safetensors"),)
    assert found.root == folder


def test_a_folder_says_what_it_predicts(tmp_path: Path) -> None:
    found = open_model(str(layouts.save_folder(layouts.build("sd21"), tmp_path / "m", prediction="v_prediction")))
    assert (found.family, found.prediction) == ("sd2", "v_prediction")


def test_the_demo_model() -> None:
    found = open_model("demo")
    assert (found.kind, found.path, found.family, found.prediction) == ("demo", "", "sd1", "epsilon")
    at = space(found.autoencoder)
    assert (found.in_channels, found.out_channels, at.channels, at.cell, at.scaling) == (12, 12, 12, 8, 1)
    assert FAMILIES["sd1"].width(found.denoiser.config) == 128
    assert found.denoiser.bytes == 2 * found.denoiser.elements


def test_it_is_told_without_torch() -> None:
    code = (
        "import sys; from nodegraph_diffusion.checkpoint import open_model; open_model('demo');"
        "print(*sorted({'torch', 'diffusers', 'transformers', 'safetensors', 'numpy'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == ""


# -- where it is looked for -------------------------------------------------------------------------------------------


def test_names_are_looked_up_in_the_folders_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    parts = layouts.build("sd15")
    for base in (first, second):
        (base / "sub").mkdir(parents=True)
    layouts.save_single(parts, second / "sub" / "model.safetensors")
    folders = [first, second]
    assert Path(open_model("sub/model.safetensors", folders).path) == second / "sub" / "model.safetensors"
    layouts.save_single(parts, first / "sub" / "model.safetensors")
    assert Path(open_model("sub/model.safetensors", folders).path) == first / "sub" / "model.safetensors"


def test_every_listed_name_opens_but_pickles(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sub" / ".hidden").mkdir(parents=True)
    layouts.save_single(layouts.build("sd15"), tmp_path / "sub" / "one.safetensors")
    (tmp_path / "sub" / ".hidden" / "two.safetensors").touch()
    (tmp_path / "sub" / "three.ckpt").touch()
    (tmp_path / "linked").symlink_to(folder)
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert list_models([tmp_path, tmp_path / "absent"]) == ["demo", "linked", "sub/one.safetensors", "sub/three.ckpt"]
    for name in ("demo", "linked", "sub/one.safetensors"):
        open_model(name, [tmp_path])
    with pytest.raises(ModelError, match=r"a pickle \(\.ckpt\) can run code"):
        open_model("sub/three.ckpt", [tmp_path])


# -- revisions --------------------------------------------------------------------------------------------------------


def test_a_revision_changes_with_the_files(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)  # keeps the times
    before = open_model(str(copy)).revision
    assert before == open_model(str(folder)).revision
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    times = weights.stat()
    with weights.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(bytes(4096))
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = open_model(str(copy)).revision
    assert changed != before
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    touched = open_model(str(copy)).revision
    assert touched != changed
    scheduler = copy / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace("0.012", "0.013"))
    assert open_model(str(copy)).revision != touched


def test_a_model_is_read_again_when_something_of_it_changed(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    first = open_model(str(copy))
    time.sleep(2 * RECENT / 1e9)
    known = open_model(str(copy))
    assert known == first
    assert open_model(str(copy)) is known
    assert open_model(str(copy), (), "v_prediction").prediction == "v_prediction"
    (copy / "tokenizer" / "added.json").write_text("{}")
    assert open_model(str(copy)).revision != known.revision
    shutil.rmtree(copy / "vae")
    assert "vae" in message(copy)


def test_a_list_reads_a_file_once_while_it_stays_and_refuses_it_alike(tmp_path: Path) -> None:
    looked: list[str] = []

    def read(path: Path) -> Adapter:
        looked.append(path.name)
        return open_adapter(path)

    files = AdapterFiles(read=read, says=lambda found: found.name)
    for name in ("lora", "none"):
        shutil.copyfile(SHIPPED / "demo_blocks.safetensors", tmp_path / f"{name}.safetensors")
    (tmp_path / "none.safetensors").write_bytes(b"no model")
    time.sleep(2 * RECENT / 1e9)
    folders = Folders(models=(tmp_path,))
    first = files.listed(folders)
    looked.clear()
    assert files.listed(folders) == first
    assert "lora.safetensors" in first
    assert "none.safetensors" not in first
    assert looked == []
    with pytest.raises(NodeError, match="not a safetensors file"):
        files.open("none.safetensors", folders)
    assert looked == []
    os.utime(tmp_path / "lora.safetensors")
    files.open("lora.safetensors", folders)
    assert looked == ["lora.safetensors"]


def test_the_demos_revision_is_that_of_its_content(tmp_path: Path) -> None:
    files = sorted((ASSETS / "demo").rglob("*.safetensors"))
    copies = [Path(shutil.copyfile(file, tmp_path / f"{i}")) for i, file in enumerate(files)]
    for copy, file in zip(copies, files, strict=True):
        os.utime(copy, (0, 0))
        copy.rename(copy.parent / file.name)
        assert digest([copy.parent / file.name], [], mtime=False) == digest([file], [], mtime=False)
        assert digest([copy.parent / file.name], [], mtime=True) != digest([file], [], mtime=True)


# -- what cannot be used ----------------------------------------------------------------------------------------------


def test_a_missing_model_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "dreamshaper_8.safetensors").touch()
    said = message("dreamshaper8.safetensors", [tmp_path])
    assert f"no model 'dreamshaper8.safetensors': looked in {tmp_path}" in said
    assert "The nearest are 'dreamshaper_8.safetensors'" in said
    assert "Put it there, or give the path of a file; 'demo' is always there" in message("qqqq", [tmp_path])
    assert f"looked in {tmp_path}" in message(tmp_path / "qqqq")
    for nothing in ("", " ", "a\0b"):
        assert "needed the name of a model" in message(nothing, [tmp_path])


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin", ".CKPT"])
def test_pickles_are_refused_by_their_names(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.touch()
    said = message(path)
    assert str(path) in said
    assert "pickle" in said
    assert "safetensors.torch.save_file" in said


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"")


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def with_header(header: Any, data: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a zip": (zipped, "found a zip archive"),
    "a pickle": (written(b"\x80\x02}q\x00." + bytes(20)), "found a pickle"),
    "a web page": (written(b"<!DOCTYPE html><html></html>"), "found a web page"),
    "a pointer": (written(b"version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
    "a gguf": (written(b"GGUF" + bytes(30)), "found a GGUF file"),
    "a server's answer": (written(b'{"error": "Invalid username or password."}'), "found text"),
    "nothing": (written(b""), "found an empty file"),
    "a cut header": (written(with_header(entry(), 8)[:30]), "cut off in its header"),
    "an endless header": (written(struct.pack("<Q", 2**62) + bytes(100)), "at most 100,000,000 are allowed"),
    "no json": (written(with_header(b"{" * 50)), "header is damaged"),
    "deep json": (written(with_header(b'{"a":' * 100_000)), "header is damaged"),
    "no object": (written(with_header([1, 2])), "not a safetensors file"),
    "no dtype": (written(with_header({"a": {"shape": [2]}})), "header is damaged"),
    "a negative shape": (written(with_header(entry(shape=(-2,)), 8)), "has shape [-2]"),
    "a shape of text": (written(with_header(entry(shape=("2",)), 8)), "has shape ['2']"),
    "too few bytes for the shape": (written(with_header(entry(shape=(3,)), 8)), "F32 of shape [3] but has 8 bytes"),
    "backward offsets": (written(with_header(entry(offsets=(8, 0)), 8)), "but has -8 bytes"),
    "cut weights": (written(with_header(entry(), 7)), "is cut off: 'a' ends at byte"),
    "no tensors": (written(with_header({})), "has no tensors"),
    "a length that begins as a web page does": (
        written(with_header(json.dumps(entry()).encode().ljust(0x3C20), 8)),
        "of no family that is known",
    ),
    "an unknown family": (written(with_header(entry(), 8)), "of no family that is known: it has no tensor 'model.diff"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files(kind: str, tmp_path: Path) -> None:
    make, expected = BROKEN[kind]
    path = tmp_path / "model.safetensors"
    make(path)
    said = message(path)
    assert said.startswith(str(path))
    assert expected in said


OTHERS: dict[str, dict[str, tuple[int, ...]]] = {
    "LoRA": {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": (4, 320)},
    "a LoRA": {"unet.down_blocks.0.attentions.0.to_q.lora_A.weight": (4, 320)},
    "ControlNet": {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)},
    "VAE alone": {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)},
    "a VAE alone": {"decoder.conv_in.weight": (512, 16, 3, 3)},
    "text encoder alone": {"text_model.embeddings.token_embedding.weight": (49408, 768)},
    "denoiser alone": {"down_blocks.0.resnets.0.conv1.weight": (320, 320, 3, 3)},
    "textual inversion": {"emb_params": (1, 768)},
    "upscaling network": {"conv_first.weight": (64, 3, 3, 3)},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_models_are_named(kind: str, tmp_path: Path) -> None:
    state = {name: torch.empty(shape, device="meta") for name, shape in OTHERS[kind].items()}
    said = message(layouts.save_hollow(state, tmp_path / "model.safetensors"))
    assert "looks like a" in said
    assert kind in said
    assert "LoadModel reads checkpoints of Stable Diffusion 1.x, Stable Diffusion 2.x, " in said


def test_incomplete_and_foreign_checkpoints(full: dict[str, layouts.State], tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"

    def said(without: str = "-", extra: dict[str, tuple[int, ...]] | None = None, family: str = "sd15") -> str:
        state = {k: v for k, v in full[family].items() if not k.startswith(without)}
        state |= {k: torch.empty(v, device="meta") for k, v in (extra or {}).items()}
        return message(layouts.save_hollow(state, path))

    assert "a text encoder that is not of its family" in said("cond_stage_model.", {"cond_stage_model.a.weight": (1,)})
    state = {name: value for name, value in full["sd15"].items() if not name.startswith("first_stage_model.")}
    assert open_model(str(layouts.save_hollow(state, path))).vae is None
    assert "no tensor 'model.diffusion_model.out.2.weight'" in said("model.diffusion_model.out.2.")
    assert "no tensor 'first_stage_model.encoder.down.1" in said("first_stage_model.encoder.down.1.block.0.")
    token = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    assert f"no tensor {token!r}" in said(token)
    assert "has 11 input blocks" in said("model.diffusion_model.input_blocks.11.")
    assert "unCLIP" in said(extra={"model.diffusion_model.label_emb.0.0.weight": (1280, 1536)}, family="sd21")
    for channels, what in ((5, "depth-to-image"), (7, "x4 upscaler"), (6, "of another kind")):
        assert what in said(extra={ENTRY: (320, channels, 3, 3)})
    attention = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    mixed: dict[str, tuple[int, ...]] = {attention: (320, 1024)}
    assert "reads prompts of width 1024, its text encoder writes 768" in said(extra=mixed)


def test_broken_folders(folder: Path, tmp_path: Path) -> None:
    weights = "unet/diffusion_pytorch_model.safetensors"

    def said(change: Callable[[Path], object]) -> str:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        change(copy)
        return message(copy)

    def index(**changes: Any) -> Callable[[Path], object]:
        def change(root: Path) -> None:
            found = json.loads((root / "model_index.json").read_text())
            (root / "model_index.json").write_text(json.dumps(found | changes))

        return change

    def rename(root: Path) -> None:
        (root / weights).rename((root / weights).with_suffix(".bin"))

    assert "found no weights" in said(lambda root: (root / weights).unlink())
    assert "found only 'diffusion_pytorch_model.bin', a pickle" in said(rename)
    assert "'scheduler_config.json'" not in said(lambda root: (root / "vae" / "config.json").unlink())
    assert "config.json: not there" in said(lambda root: (root / "vae" / "config.json").unlink())
    assert "expected JSON" in said(lambda root: (root / "vae" / "config.json").write_text("{"))
    assert "expected a JSON object, found a list" in said(lambda root: (root / "vae" / "config.json").write_text("[]"))
    assert "expected 'tokenizer.json'" in said(lambda root: shutil.rmtree(root / "tokenizer"))
    assert "without 'model_index.json'" in said(lambda root: (root / "model_index.json").unlink())
    assert "cut off" in said(lambda root: os.truncate(root / weights, 100_000))
    assert "not the unet" in said(lambda root: shutil.copy(root / "vae" / Path(weights).name, root / weights))
    xl = index(_class_name="StableDiffusionXLPipeline", text_encoder_2=["transformers", "CLIPTextModelWithProjection"])
    assert "text_encoder_2/config.json: not there. The StableDiffusionXLPipeline folder is not whole" in said(xl)
    other = index(text_encoder_2=["transformers", "T5EncoderModel"])
    assert "folder with 'text_encoder_2', which Stable Diffusion 1.x has not" in said(other)
    assert "a StableDiffusionPipeline folder whose denoiser is missing" in said(index(unet=[None, None]))
    assert "whose vae is AutoencoderTiny, needed AutoencoderKL" in said(index(vae=["diffusers", "AutoencoderTiny"]))
    scheduler = "scheduler/scheduler_config.json"
    assert "found 'flow'" in said(lambda root: (root / scheduler).write_text('{"prediction_type": "flow"}'))


def test_a_folder_of_models_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "one.safetensors").touch()
    assert "Give one of what is in it: 'one.safetensors'" in message(tmp_path)
    (tmp_path / "note.txt").touch()
    assert "got a file of type '.txt'" in message(tmp_path / "note.txt")
