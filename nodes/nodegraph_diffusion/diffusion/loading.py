"""Weights from disk into ready modules: memory-mapped, one copy, only the component that is asked for.

A module is built without memory (on the meta device) and given tensors that are views of the mapped file. Where dtype
and device are those of the file nothing is copied: the pages belong to the system's cache, are shared by processes and
read at most once. Otherwise each tensor is converted by itself, so that the peak is the result plus one tensor.

Nothing here can reach the network or open a pickle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ..checkpoint import ASSETS, Checkpoint, Component, ModelError
from ..checkpoint.original import CLIP, DENOISER, OPEN_CLIP, VAE
from .progress import Report, silent
from .prompts import PromptEncoder

M = TypeVar("M", bound=nn.Module)

PAGE = 4096


def load_denoiser(
    checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, report: Report = silent
) -> UNet2DConditionModel:
    """The denoiser of a model, frozen, in evaluation mode.

    Args:
        report: Called with the bytes read and their number.
    Raises:
        ModelError: The file is gone, damaged, or not what its header and configuration promise.
    """
    part = checkpoint.denoiser
    weights = _read(checkpoint, part, DENOISER)
    if checkpoint.kind == "file":
        weights = _converted(checkpoint, convert_ldm_unet_checkpoint, weights, part.config)
    module = _on_meta(checkpoint, lambda: UNet2DConditionModel.from_config(dict(part.config)))
    return _fill(module, weights, checkpoint, dtype, device, report)


def load_vae(
    checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, report: Report = silent
) -> AutoencoderKL:
    """The autoencoder of a model, frozen, in evaluation mode. Raises `ModelError` as `load_denoiser` does."""
    part = checkpoint.vae
    weights = _read(checkpoint, part, VAE)
    if checkpoint.kind == "file":
        weights = _converted(checkpoint, convert_ldm_vae_checkpoint, weights, part.config)
    module = _on_meta(checkpoint, lambda: AutoencoderKL.from_config(dict(part.config)))
    return _fill(module, _today(weights), checkpoint, dtype, device, report)


def load_text_encoder(
    checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, report: Report = silent
) -> PromptEncoder:
    """The tokenizer and the text encoder of a model, frozen. Raises `ModelError` as `load_denoiser` does."""
    part = checkpoint.text_encoder
    prefix = CLIP if checkpoint.family == "sd1" else OPEN_CLIP
    weights = _read(checkpoint, part, prefix)
    if checkpoint.kind == "file" and checkpoint.family == "sd2":
        weights = _from_open_clip(weights)
    else:
        weights = {name.removeprefix(prefix).removeprefix("text_model."): v for name, v in weights.items()}
    module = _on_meta(checkpoint, lambda: CLIPTextModel(CLIPTextConfig(**part.config)))
    # The one buffer that no file holds; files of older versions do hold it, some in half precision and rounded.
    module.embeddings.position_ids = torch.arange(module.config.max_position_embeddings, device=device)[None]
    return PromptEncoder(load_tokenizer(checkpoint), _fill(module, weights, checkpoint, dtype, device, report))


def load_tokenizer(checkpoint: Checkpoint) -> CLIPTokenizer:
    """The tokenizer that stands in the model's folder; for a single file the shipped one of CLIP."""
    if checkpoint.kind != "file":
        return CLIPTokenizer.from_pretrained(str(checkpoint.root / "tokenizer"), local_files_only=True)
    # 2.x was trained with zeros after the prompt, and "!" is token 0.
    padding = {"pad_token": "!"} if checkpoint.family == "sd2" else {}
    return CLIPTokenizer.from_pretrained(str(ASSETS / "tokenizers" / "clip"), local_files_only=True, **padding)


def _read(checkpoint: Checkpoint, part: Component, prefix: str) -> dict[str, Tensor]:
    """The tensors of one component as views of the mapped files."""
    found: dict[str, Tensor] = {}
    for name in part.files:
        path = checkpoint.root / name
        try:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is no dict
                    if checkpoint.kind != "file" or key.startswith(prefix):
                        found[key] = file.get_tensor(key)
        except FileNotFoundError:
            raise ModelError(f"{path}: is gone since it was looked at. Put it back, or choose another model") from None
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: cannot be read ({error}). Get the file again") from error
    return found


def _converted(
    checkpoint: Checkpoint,
    convert: Callable[..., dict[str, Tensor]],
    weights: dict[str, Tensor],
    config: Mapping[str, Any],
) -> dict[str, Tensor]:
    try:
        return convert(weights, config)
    except (KeyError, AttributeError) as error:  # a partner of a tensor that is there is not
        raise ModelError(f"{checkpoint.path}: tensors are missing ({error}). Get the full checkpoint") from error


def _from_open_clip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenCLIP's names to those of transformers. Query, key and value are views of their one matrix."""
    names = {
        "positional_embedding": "embeddings.position_embedding.weight",
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "ln_final.weight": "final_layer_norm.weight",
        "ln_final.bias": "final_layer_norm.bias",
    }
    inside = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    out: dict[str, Tensor] = {}
    for key, value in weights.items():
        name = key.removeprefix(OPEN_CLIP)
        if name in names:
            out[names[name]] = value
        elif name.startswith("transformer.resblocks."):
            layer, _, rest = name.removeprefix("transformer.resblocks.").partition(".")
            target = f"encoder.layers.{layer}."
            if rest.startswith("attn.in_proj_"):
                kind = rest.removeprefix("attn.in_proj_")
                for letter, rows in zip("qkv", value.chunk(3), strict=True):
                    out[f"{target}self_attn.{letter}_proj.{kind}"] = rows
            else:
                module, _, kind = rest.rpartition(".")
                out[f"{target}{inside.get(module, module)}.{kind}"] = value
    return out


def _today(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Folders written before diffusers 0.18, SD 1.5's own among them, have older names in the VAE's attention."""
    older = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    out: dict[str, Tensor] = {}
    for name, value in weights.items():
        module, _, kind = name.rpartition(".")
        parent, _, leaf = module.rpartition(".")
        out[f"{parent}.{older[leaf]}.{kind}" if leaf in older else name] = value
    return out


def _on_meta(checkpoint: Checkpoint, make: Callable[[], M]) -> M:
    try:
        with torch.device("meta"):
            return make()
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{checkpoint.root}: a configuration describes no module ({error}). Get it again") from error


def _fill(
    module: M,
    weights: Mapping[str, Tensor],
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    device: torch.device,
    report: Report,
) -> M:
    """Give `module` its weights, in the order they have in the file."""
    where = checkpoint.path or checkpoint.root
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    if missing := [name for name in wanted if weights.get(name) is None]:
        raise ModelError(
            f"{where}: {len(missing)} of the {len(wanted)} tensors of {type(module).__name__} are missing, such as "
            f"{missing[0]!r}. Get the full model"
        )
    for name, shape in wanted.items():
        if (given := tuple(weights[name].shape)) != shape:
            raise ModelError(f"{where}: {name!r} needs shape {shape}, found {given}. Weights and configuration differ")
    total, done = sum(weights[name].nbytes for name in wanted), 0
    placed: dict[str, Tensor] = {}
    for name in sorted(wanted, key=lambda n: weights[n].data_ptr()):
        placed[name] = _place(weights[name], dtype, device)
        done += weights[name].nbytes
        report(done, total)
    module.load_state_dict(placed, assign=True)
    return module.eval().requires_grad_(False)


def _place(stored: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    if stored.data_ptr() % stored.element_size():  # writers need not align the data, and not every processor minds
        stored = stored.clone()
    placed = stored.to(device, dtype).contiguous()
    if placed.data_ptr() == stored.data_ptr():
        # Touch every page, so that the disk is read now, with progress, and not within the first step.
        placed.flatten()[:: PAGE // placed.element_size()].sum()
    return placed


def unload(loaded: nn.Module | PromptEncoder) -> None:
    """Give back the memory of what was loaded, though something may still refer to it."""
    module = loaded.model if isinstance(loaded, PromptEncoder) else loaded
    on_cuda = next(module.parameters()).is_cuda
    module.to("meta")
    if on_cuda:
        torch.cuda.empty_cache()
