"""Files of few bits: GGUF and float8."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter, dequantize_gguf_tensor
from safetensors.torch import save_file

from families import models, originals
from families.parity import close, document, engine, run
from harness import link, step
from nodegraph import Engine
from nodegraph_diffusion.checkpoint import ModelError, find_file, open_model
from nodegraph_diffusion.checkpoint.gguf import TYPES, read_gguf
from nodegraph_diffusion.checkpoint.header import QUANTISED
from nodegraph_diffusion.diffusion.loading import load
from nodegraph_diffusion.load_model import load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
CPU = torch.device("cpu")
State = dict[str, torch.Tensor]


def packed(state: State, path: Path, kind: str, *, rows: bool = False) -> State:
    """Write `state` as people quantise it: matrices in blocks, the rest as it is. What the blocks stand for.

    Args:
        rows: Whether what does not fit into blocks, convolutions too, is written in rows of them, beside its own shape.
    """
    writer = gguf.GGUFWriter(path, "flux")
    writer.add_string("general.name", "a tiny one")
    writer.add_array("some.numbers", [1, 2, 3])
    writer.add_array("some.words", ["a", "b"])
    made: State = {}
    for name, value in state.items():
        array = value.detach().float().contiguous().numpy()
        shape = array.shape
        if rows and array.ndim > 1 and array.shape[-1] % 256 and array.size % 256 == 0:
            writer.add_array(f"comfy.gguf.orig_shape.{name}", list(map(int, shape)))
            array = array.reshape(-1, 256)
        wanted = getattr(gguf.GGMLQuantizationType, kind if array.ndim == 2 else "F32")
        if wanted == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, array)
            made[name] = value.detach().float()
        else:
            blocks = gguf.quants.quantize(array, wanted)
            writer.add_tensor(name, blocks, raw_dtype=wanted)
            stands = dequantize_gguf_tensor(GGUFParameter(torch.from_numpy(blocks), quant_type=wanted))
            made[name] = stands.float().reshape(shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made


KINDS = ["Q8_0", "Q4_0", "Q5_1", "BF16"]


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    pipeline = models.flux_dev()
    pipeline.save_pretrained(module_folder / "whole")
    for kind in KINDS:
        made = packed(originals.flux(pipeline), module_folder / f"{kind}.gguf", kind)
        originals.write(made, module_folder / f"{kind}.safetensors")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def alone(source: str, **settings: Any) -> dict[str, Any]:
    nodes = document(source, negative=False, **settings)
    nodes["model"]["inputs"] |= {"text_encoder_from": "whole", "vae_from": "whole"}
    return nodes


@pytest.mark.parametrize("kind", KINDS)
def test_gguf_is_what_its_blocks_stand_for(kind: str, made: Engine, folder: Path) -> None:
    found = run(made, alone(f"{kind}.gguf"))
    close(found, run(made, alone(f"{kind}.safetensors")), 1e-5)
    assert np.abs(found - run(made, document("whole", negative=False))).max() > 1e-4


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_gguf_of_a_unet(kind: str, tmp_path: Path) -> None:
    """As people make it for ComfyUI: the names have no prefix, convolutions are in rows of blocks."""
    pipeline = models.sdxl()
    pipeline.save_pretrained(tmp_path / "whole")
    made = packed(originals.unet_alone(pipeline, "bare"), tmp_path / "few.gguf", kind, rows=True)
    originals.write(made, tmp_path / "few.safetensors")
    checkpoint = open_model(str(tmp_path / "few.gguf"))
    assert (checkpoint.family, checkpoint.denoiser.quantised) == ("sdxl", True)
    module = load(checkpoint, checkpoint.denoiser, torch.float32, CPU)
    assert isinstance(module.down_blocks[1].attentions[0].transformer_blocks[0].attn1.to_q, GGUFLinear)
    with engine(tmp_path) as ours:
        pictures = []
        for name in ("few.gguf", "few.safetensors"):
            nodes = document(name)
            nodes["model"]["inputs"] |= {"text_encoder_from": "whole", "vae_from": "whole"}
            pictures.append(run(ours, nodes))
        few, stands_for = pictures
        close(few, stands_for, 1e-5)
        assert np.abs(few - run(ours, document("whole"))).max() > 1e-4


def test_gguf_stays_in_its_blocks(folder: Path) -> None:
    checkpoint = open_model(str(folder / "Q4_0.gguf"))
    assert (checkpoint.family, checkpoint.denoiser.quantised, checkpoint.denoiser.dtype) == ("flux1", True, "Q4_0")
    module = load(checkpoint, checkpoint.denoiser, torch.float32, CPU)
    layer = module.transformer_blocks[0].attn.to_q
    assert isinstance(layer, GGUFLinear)
    assert (layer.weight.dtype, layer.weight.shape) == (torch.uint8, (64, 64 // 32 * 18))
    size = load_model(str(folder / "Q4_0.gguf"), text_encoder_from=str(folder / "whole"),
                      vae_from=str(folder / "whole")).model.denoiser.size  # fmt: skip
    assert size == checkpoint.denoiser.bytes < checkpoint.denoiser.elements


def test_float8_of_what_is_quantised_is_refused_while_checking(made: Engine) -> None:
    nodes = alone("Q4_0.gguf")
    nodes["options"] = step("RunOptions@1", model=link("model.model"), weights="float8")
    nodes["sample"]["inputs"]["model"] = link("options.model")
    (problem,) = made.check(made.read({"nodes": nodes}))
    assert (problem.where, "weights are Q4_0 already" in str(problem)) == ("options.weights", True)


def test_a_lora_on_gguf(made: Engine, folder: Path) -> None:
    name = "transformer.single_transformer_blocks.1.attn.to_q"
    generator = torch.Generator().manual_seed(3)
    state = {f"{name}.lora_A.weight": torch.randn(4, 64, generator=generator) / 2,
             f"{name}.lora_B.weight": torch.randn(64, 4, generator=generator)}  # fmt: skip
    save_file(state, folder / "lora.safetensors")

    def adapted(source: str) -> np.ndarray[Any, Any]:
        nodes = alone(source)
        nodes["lora"] = step("ApplyLora@1", model=link("model.model"), source="lora.safetensors")
        nodes["sample"]["inputs"]["model"] = link("lora.model")
        return run(made, nodes)

    found = adapted("Q8_0.gguf")
    assert np.abs(found - run(made, alone("Q8_0.gguf"))).max() > 0.002
    close(found, adapted("Q8_0.safetensors"), 1e-5)


def test_without_the_package_it_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = open_model(str(folder / "Q8_0.gguf"))  # what it is can be told without
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModelError, match=r"needs the package gguf: pip install nodegraph\[gguf\]"):
        load(checkpoint, checkpoint.denoiser, torch.float32, CPU)


def test_the_sizes_of_blocks_are_those_of_ggml() -> None:
    for number, name in TYPES.items():
        assert gguf.GGMLQuantizationType(number).name == name
    for name, sizes in QUANTISED.items():
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]] == sizes


def test_headers_of_gguf_are_those_of_its_reader(folder: Path) -> None:
    header, theirs = read_gguf(folder / "Q8_0.gguf"), gguf.GGUFReader(folder / "Q8_0.gguf")
    assert header.metadata == {"general.architecture": "flux", "general.name": "a tiny one"}
    found = {t.name: (tuple(map(int, reversed(t.shape))), int(t.data_offset), int(t.n_bytes)) for t in theirs.tensors}
    assert found == {name: (each.shape, each.start, each.bytes) for name, each in header.tensors.items()}


def test_bad_files_are_named(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "Q8_0.gguf").read_bytes()

    def said(data: bytes, name: str = "m.gguf") -> str:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError) as caught:
            open_model(str(tmp_path / name))
        return str(caught.value)

    assert "is cut off in its GGUF header" in said(whole[:200])
    assert "is cut off: " in said(whole[:-200])
    assert "expected a GGUF file of version 2 or 3" in said(b"GGUF" + struct.pack("<I", 1) + whole[8:])
    assert "expected a GGUF file" in said(b"PK" + whole)
    assert "Give it a name that ends in .gguf" in said(whole, "m.safetensors")
    one = struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 1) + b"a" + struct.pack("<IQIQ", 1, 32, 16, 0) + bytes(64)
    assert "'a' is of ggml's type 16, needed one of F32, F16, Q4_0" in said(b"GGUF" + one)
    odd = struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 1) + b"a" + struct.pack("<IQIQ", 1, 33, 8, 0) + bytes(64)
    assert "'a' is Q8_0 of shape (33,), needed rows of 32s" in said(b"GGUF" + odd)
    with pytest.raises(ModelError, match=r"got a GGUF file\. Only LoadModel reads those"):
        find_file("Q8_0.gguf", [folder])


# -- float8 -----------------------------------------------------------------------------------------------------------


def eight(state: State, scaled: bool) -> tuple[State, State]:
    """`state` with its matrices in float8, and what that stands for."""
    small: State = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)} if scaled else {}
    wide: State = {}
    for name, value in state.items():
        if value.ndim != 2:
            small[name] = wide[name] = value.clone()
            continue
        scale = value.abs().max() / 448 if scaled else torch.tensor(1.0)
        small[name] = (value / scale).to(torch.float8_e4m3fn)
        wide[name] = small[name].float() * scale
        if scaled:
            small[f"{name.removesuffix('.weight')}.scale_weight"] = scale
            small[f"{name.removesuffix('.weight')}.scale_input"] = torch.tensor(1.0)
    return small, wide


@pytest.mark.parametrize("scaled", [False, True])
def test_float8_is_what_it_stands_for(scaled: bool, made: Engine, folder: Path) -> None:
    small, wide = eight(originals.flux(models.flux_dev()), scaled)
    originals.write(small, folder / "eight.safetensors")
    originals.write(wide, folder / "wide.safetensors")
    assert open_model(str(folder / "eight.safetensors")).denoiser.dtype == "F8_E4M3"
    found = run(made, alone("eight.safetensors"))
    close(found, run(made, alone("wide.safetensors")), 1e-5)
    assert np.abs(found - run(made, document("whole", negative=False))).max() > 1e-4


def test_a_float8_text_encoder(made: Engine, folder: Path) -> None:
    pipeline = models.flux_dev()
    state = {k: v for k, v in pipeline.text_encoder_2.state_dict().items() if k != "encoder.embed_tokens.weight"}
    small, wide = eight(state, scaled=True)
    originals.write(pipeline.text_encoder.state_dict(), folder / "clip.safetensors")
    pictures = []
    for name, each in (("small", small), ("wide", wide)):
        originals.write(each, folder / f"t5-{name}.safetensors")
        nodes = document("whole", negative=False)
        nodes["model"]["inputs"]["text_encoder_from"] = f"clip.safetensors, t5-{name}.safetensors"
        pictures.append(run(made, nodes))
    close(pictures[0], pictures[1], 1e-5)


def test_what_is_packed_in_another_way_is_said(folder: Path) -> None:
    state = originals.flux(models.flux_dev())
    state["img_in.weight"] = torch.zeros(64, 64, dtype=torch.uint8)
    state["img_in.weight_scale"] = torch.ones(4)
    found = open_model(str(originals.write(state, folder / "four.safetensors")))
    with pytest.raises(ModelError, match=r"'img_in\.weight' is torch\.uint8 with a scale beside it, needed float8"):
        load(found, found.denoiser, torch.float32, CPU)
