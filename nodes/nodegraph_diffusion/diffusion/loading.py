"""Weights from disk into ready modules: memory-mapped, one copy, only the component that is asked for.

A module is built without memory (on the meta device) and given tensors that are views of the mapped file. Where dtype
and device are those of the file nothing is copied: the pages belong to the system's cache, are shared by processes and
read at most once. Otherwise each tensor is converted by itself, so that the peak is the result plus one tensor.

Nothing here can reach the network or open a pickle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
import transformers
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import CLIPTokenizer, PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from ..checkpoint import ASSETS, Checkpoint, Component, ModelError, lone
from ..checkpoint.header import read_header
from ..families import FAMILIES
from . import quantised
from .mapped import in_cache, read_ahead
from .progress import Report, silent
from .prompts import PromptEncoder

M = TypeVar("M", bound=nn.Module)


def load_denoiser(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, report: Report = silent) -> Any:
    """The denoiser of a model, frozen, in evaluation mode.

    Args:
        report: Called with the bytes read and their number.
    Raises:
        ModelError: The file is gone, damaged, or not what its header and configuration promise.
    """
    return load(checkpoint, checkpoint.denoiser, dtype, device, report)


def load_vae(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, report: Report = silent) -> Any:
    """The autoencoder of a model, frozen, in evaluation mode. Raises `ModelError` as `load_denoiser` does."""
    return load(checkpoint, checkpoint.autoencoder, dtype, device, report)


def load_text_encoder(
    checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, report: Report = silent, index: int = 0
) -> PromptEncoder:
    """A tokenizer and its text encoder, frozen. Raises `ModelError` as `load_denoiser` does."""
    part = checkpoint.text_encoders[index]
    return PromptEncoder(load_tokenizer(checkpoint, part), load(checkpoint, part, dtype, device, report))


def load(
    checkpoint: Checkpoint, part: Component, dtype: torch.dtype, device: torch.device, report: Report = silent
) -> Any:
    """One component of a model, frozen, in evaluation mode. Raises `ModelError` as `load_denoiser` does."""
    weights = quantised.rescaled(checkpoint.root / part.files[0], _read(checkpoint, part), dtype)
    convert = FAMILIES[checkpoint.family].convert
    if part.original and convert is not None:
        try:
            weights = convert(part, weights)
        except (KeyError, AttributeError) as error:  # a partner of a tensor that is there is not
            raise ModelError(f"{checkpoint.path}: tensors are missing ({error}). Get the full checkpoint") from error
    module = _hollow(checkpoint, lambda: _build(part))
    named = quantised.prepare(module, _by_todays_names(module, weights), dtype)
    warm = all(in_cache(checkpoint.root / name) for name in part.files)
    return _fill(module, named, checkpoint, dtype, device, report, warm)


def load_tokenizer(checkpoint: Checkpoint, part: Component) -> PreTrainedTokenizerBase:
    """The tokenizer that stands in the model's folder; for a single file the shipped one of CLIP, T5 or Qwen, and for
    Llama the one beside it."""
    if not part.original:
        family = FAMILIES[checkpoint.family]
        folder = next(encoder.tokenizer for encoder in family.encoders if encoder.name == part.name)
        where = str(checkpoint.root / folder)
        if part.cls.startswith("CLIP"):
            return CLIPTokenizer.from_pretrained(where, local_files_only=True)
        made = transformers.AutoTokenizer.from_pretrained(where, local_files_only=True)
        if part.cls.startswith("Llama"):
            made.pad_token = made.eos_token
        return made
    if part.cls.startswith("Llama"):
        file = str(lone.llama_tokenizer(Path(part.files[0])))
        return transformers.PreTrainedTokenizerFast(tokenizer_file=file, **LLAMA)
    if part.cls == "T5EncoderModel":
        return transformers.T5TokenizerFast.from_pretrained(str(ASSETS / "tokenizers" / "t5"), local_files_only=True)
    if part.cls.startswith("Qwen"):
        return qwen_tokenizer(ASSETS / "tokenizers" / "qwen")
    # OpenCLIP's models were trained with zeros after the prompt, and "!" is token 0.
    padding = {"pad_token": "!"} if part.config.get("hidden_act") == "gelu" else {}
    return CLIPTokenizer.from_pretrained(str(ASSETS / "tokenizers" / "clip"), local_files_only=True, **padding)


LLAMA = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|eot_id|>"}
"""What Llama 3.1's tokenizer calls its marks."""
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)
"""What Qwen's models are shown of a conversation of texts alone."""


def qwen_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """That of Qwen's models: its words are the bytes, what merges make of two of them, and marks, in this order."""
    merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    marks = (folder / "marks.txt").read_text(encoding="utf-8").splitlines()
    words = [*bytes_to_unicode().values(), *(merge.replace(" ", "") for merge in merges)]
    made = transformers.Qwen2Tokenizer(
        vocab={word: number for number, word in enumerate(words)}, merges=[tuple(merge.split(" ")) for merge in merges],
        extra_special_tokens=marks,
    )  # fmt: skip
    made.chat_template = CHAT
    return made


def _build(part: Component) -> nn.Module:
    if part.cls == "LDMBertModel":
        from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel

        return LDMBertModel(LDMBertConfig(**part.config))  # type: ignore[no-any-return]
    if hasattr(diffusers, part.cls):
        return getattr(diffusers, part.cls).from_config(dict(part.config))  # type: ignore[no-any-return]
    made = getattr(transformers, part.cls)
    return made(made.config_class(**part.config))  # type: ignore[no-any-return]


def _read(checkpoint: Checkpoint, part: Component) -> dict[str, Tensor]:
    """The tensors of one component as views of the mapped files."""
    found: dict[str, Tensor] = {}
    for name in part.files:
        path = checkpoint.root / name
        if path.suffix.lower() == ".gguf":
            found |= quantised.read_blocks(path, read_header(path), part.prefixes)
            continue
        try:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is no dict
                    if key.startswith(part.prefixes):
                        found[key] = file.get_tensor(key)
        except FileNotFoundError:
            raise ModelError(f"{path}: is gone since it was looked at. Put it back, or choose another model") from None
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: cannot be read ({error}). Get the file again") from error
    return found


OUTER = re.compile(r"^(model\.)?(text_model|language_model)\.(model\.)?|^model\.")
"""Levels of names that versions of transformers have or have not."""
OLDER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def _by_todays_names(module: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """`weights` by the names that `module` has for them.

    Folders written before diffusers 0.18, SD 1.5's own among them, have older names in the VAE's attention; versions of
    transformers differ in levels of names; and tensors that a model uses twice are written once.
    """
    if isinstance(module, diffusers.AutoencoderKL):
        weights = {_renamed(name): value for name, value in weights.items()}
    wanted = module.state_dict().keys()
    if all(name in weights for name in wanted):
        return weights
    bare = {OUTER.sub("", name): value for name, value in weights.items()}
    tied = getattr(module, "_tied_weights_keys", None)
    partners: dict[str, str] = dict(tied) if isinstance(tied, dict) else {}
    found: dict[str, Tensor] = {}
    for name in wanted:
        for known in (name, partners.get(name, name)):
            short = OUTER.sub("", known)
            value = next((w for n in (known, f"text_model.{known}") if (w := weights.get(n)) is not None), None)
            value = bare.get(short) if value is None else value
            if value is not None:
                found[name] = value
                break
    return found


def _renamed(name: str) -> str:
    module, _, kind = name.rpartition(".")
    parent, _, leaf = module.rpartition(".")
    return f"{parent}.{OLDER[leaf]}.{kind}" if leaf in OLDER else name


class Hollow(TorchFunctionMode):
    """While it is entered, memory that modules ask for to put weights in is on the meta device, and is none.

    Everything that a module computes for itself (tables of rotations, positions) is real, unlike under
    `torch.device("meta")`.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def _hollow(checkpoint: Checkpoint, make: Callable[[], M]) -> M:
    try:
        with Hollow():
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
    warm: bool,
) -> M:
    """Give `module` its weights, in the order they have in the file, which is in the system's cache if it is `warm`."""
    where = checkpoint.path or checkpoint.root
    own = module.state_dict()
    wanted = {name: tuple(value.shape) for name, value in own.items()}
    if missing := [name for name in wanted if weights.get(name) is None]:
        raise ModelError(
            f"{where}: {len(missing)} of the {len(wanted)} tensors of {type(module).__name__} are missing, such as "
            f"{missing[0]!r}. Get the full model"
        )
    for name, shape in wanted.items():
        given = weights[name]
        if (found := quantised.shape_of(given)) != shape:
            raise ModelError(f"{where}: {name!r} needs shape {shape}, found {found}. Weights and configuration differ")
        if own[name].is_floating_point() and not (given.is_floating_point() or quantised.is_blocks(given)):
            kind = str(given.dtype).removeprefix("torch.")
            raise ModelError(f"{where}: {name!r} needs floating point numbers, found {kind}. Get a version in float16")
    total, done = sum(weights[name].nbytes for name in wanted), 0
    placed: dict[str, Tensor] = {}
    for name in sorted(wanted, key=lambda n: weights[n].data_ptr()):
        if quantised.is_blocks(weights[name]):
            quantised.place(module, name, weights[name], device)
        else:
            placed[name] = _place(weights[name], dtype, device, warm)
        done += weights[name].nbytes
        report(done, total)
    module.load_state_dict(placed, assign=True, strict=False)  # what is wanted is there; blocks have their place
    for owner in module.modules():  # what no file holds: positions, tables of rotations
        for name, buffer in owner.named_buffers(recurse=False):
            owner._buffers[name] = buffer.to(device)
    return module.eval().requires_grad_(False)


def _place(stored: Tensor, dtype: torch.dtype, device: torch.device, warm: bool) -> Tensor:
    if stored.data_ptr() % stored.element_size():  # writers need not align the data, and not every processor minds
        stored = stored.clone()
    placed = stored.to(device, dtype if stored.is_floating_point() else stored.dtype).contiguous()
    if placed.data_ptr() == stored.data_ptr() and not warm:
        read_ahead(placed)  # so that the disk is read now, with progress, and not within the first step
    return placed


def unload(loaded: Any) -> None:
    """Give back the memory of what was loaded, though something may still refer to it."""
    module = loaded.model if isinstance(loaded, PromptEncoder) else loaded
    on_cuda = next(module.parameters()).is_cuda
    nn.Module.to(module, "meta")  # the method of diffusers moves nothing where layers are offloaded
    if on_cuda:
        torch.cuda.empty_cache()
