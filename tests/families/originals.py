"""The models of `models` as single files in the layouts of their original code, written from the published names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from diffusion import layouts

State = dict[str, torch.Tensor]

LABEL = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}


def write(state: State, path: Path) -> Path:
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, path)
    return path


def moved(state: Mapping[str, torch.Tensor], old: str, new: str) -> State:
    """`state` with another prefix."""
    return {new + name.removeprefix(old): value for name, value in state.items() if name.startswith(old)}


def sdxl(pipeline: Any) -> State:
    state = _unet(pipeline) | layouts.vae(pipeline.vae) | _open_clip(pipeline.text_encoder_2, 1)
    return state | moved(layouts.clip(pipeline.text_encoder), "cond_stage_model.", "conditioner.embedders.0.")


def sd1(pipeline: Any) -> State:
    return layouts.unet(pipeline.unet) | layouts.vae(pipeline.vae) | layouts.clip(pipeline.text_encoder)


def sd_x4(pipeline: Any) -> State:
    state = layouts.unet(Without(pipeline.unet, "class_embedding."))
    state["model.diffusion_model.label_emb.weight"] = pipeline.unet.class_embedding.weight
    state["low_res_model.betas"] = torch.zeros(1000)
    return state | layouts.vae(pipeline.vae) | layouts.open_clip(pipeline.text_encoder)


def unet_alone(pipeline: Any, layout: str) -> State:
    """A UNet in a file of its own: with or without the prefix of a whole file, or by the names of diffusers."""
    if layout == "diffusers":
        return dict(pipeline.unet.state_dict())
    state = _unet(pipeline)
    return state if layout == "prefixed" else moved(state, "model.diffusion_model.", "")


def sdxl_refiner(pipeline: Any) -> State:
    return _unet(pipeline) | layouts.vae(pipeline.vae) | _open_clip(pipeline.text_encoder_2, 0)


def _unet(pipeline: Any) -> State:
    labels = {k: v for k, v in pipeline.unet.state_dict().items() if k.startswith("add_embedding.")}
    rest = Without(pipeline.unet, "add_embedding.")
    named = {f"model.diffusion_model.{layouts.swap(k, LABEL)}": v for k, v in labels.items()}
    return layouts.unet(rest) | named


class Without:
    """A module without the tensors of one part."""

    def __init__(self, module: Any, prefix: str) -> None:
        self.config, self.module, self.prefix = module.config, module, prefix

    def state_dict(self) -> State:
        return {k: v for k, v in self.module.state_dict().items() if not k.startswith(self.prefix)}


def _open_clip(module: Any, number: int) -> State:
    class Bare:
        config = module.config

        def state_dict(self) -> State:
            return {k.removeprefix("text_model."): v for k, v in module.state_dict().items()}

    unused = f"resblocks.{module.config.num_hidden_layers}."
    found = {k: v for k, v in layouts.open_clip(Bare()).items() if unused not in k}
    found["cond_stage_model.model.text_projection"] = module.text_projection.weight.T
    return moved(found, "cond_stage_model.", f"conditioner.embedders.{number}.")


def flux(pipeline: Any, prefix: str = "") -> State:
    """The denoiser alone, as Black Forest Labs publish it."""
    whole = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
        "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
        "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
        "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
        "proj_out": "final_layer.linear",
    }
    state = pipeline.transformer.state_dict()
    out: State = {name: value for name, value in _renamed(state, whole).items() if "transformer_blocks" not in name}
    for kind in ("weight", "bias"):
        if f"norm_out.linear.{kind}" in out:
            scale, shift = out.pop(f"norm_out.linear.{kind}").chunk(2)
            out[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
    for layer in range(pipeline.transformer.config.num_layers):
        old, new = f"transformer_blocks.{layer}.", f"double_blocks.{layer}."
        for side, names, norms, mod, ff in (
            ("img", ("to_q", "to_k", "to_v"), ("norm_q", "norm_k"), "norm1", "ff"),
            ("txt", ("add_q_proj", "add_k_proj", "add_v_proj"), ("norm_added_q", "norm_added_k"), "norm1_context",
             "ff_context"),
        ):  # fmt: skip
            for kind in ("weight", "bias"):
                out[f"{new}{side}_attn.qkv.{kind}"] = torch.cat([state[f"{old}attn.{n}.{kind}"] for n in names])
                if f"{old}{mod}.linear.{kind}" in state:  # Chroma has none
                    out[f"{new}{side}_mod.lin.{kind}"] = state[f"{old}{mod}.linear.{kind}"]
                out[f"{new}{side}_mlp.0.{kind}"] = state[f"{old}{ff}.net.0.proj.{kind}"]
                out[f"{new}{side}_mlp.2.{kind}"] = state[f"{old}{ff}.net.2.{kind}"]
                proj = "to_out.0" if side == "img" else "to_add_out"
                out[f"{new}{side}_attn.proj.{kind}"] = state[f"{old}attn.{proj}.{kind}"]
            for norm, name in zip(norms, ("query_norm", "key_norm"), strict=True):
                out[f"{new}{side}_attn.norm.{name}.scale"] = state[f"{old}attn.{norm}.weight"]
    for layer in range(pipeline.transformer.config.num_single_layers):
        old, new = f"single_transformer_blocks.{layer}.", f"single_blocks.{layer}."
        for kind in ("weight", "bias"):
            rows = [state[f"{old}{n}.{kind}"] for n in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")]
            out[f"{new}linear1.{kind}"] = torch.cat(rows)
            out[f"{new}linear2.{kind}"] = state[f"{old}proj_out.{kind}"]
            if f"{old}norm.linear.{kind}" in state:
                out[f"{new}modulation.lin.{kind}"] = state[f"{old}norm.linear.{kind}"]
        for norm, name in (("norm_q", "query_norm"), ("norm_k", "key_norm")):
            out[f"{new}norm.{name}.scale"] = state[f"{old}attn.{norm}.weight"]
    return {prefix + name: value for name, value in out.items()}


def chroma(pipeline: Any) -> State:
    """The denoiser alone, whose blocks are named as Flux.1's."""
    guide = {"linear_1": "in_layer", "linear_2": "out_layer", "weight": "scale"}

    def named(name: str) -> str:
        return re.sub(
            r"(distilled_guidance_layer\.(?:layers|norms)\.\d+\.)(linear_[12]|weight)",
            lambda found: found[1] + guide[found[2]], name,
        )  # fmt: skip

    return {named(name): value for name, value in flux(pipeline).items()}


def flux2(pipeline: Any) -> State:
    """The denoiser alone, as Black Forest Labs publish it."""
    whole = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_guidance_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
        "time_guidance_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "proj_out": "final_layer.linear",
    }
    state = pipeline.transformer.state_dict()
    out: State = {name: value for name, value in _renamed(state, whole).items() if "transformer_blocks" not in name}
    scale, shift = out.pop("norm_out.linear.weight").chunk(2)
    out["final_layer.adaLN_modulation.1.weight"] = torch.cat([shift, scale])
    double = {
        "img_attn.norm.query_norm.scale": "attn.norm_q", "img_attn.norm.key_norm.scale": "attn.norm_k",
        "img_attn.proj.weight": "attn.to_out.0", "img_mlp.0.weight": "ff.linear_in",
        "img_mlp.2.weight": "ff.linear_out",
        "txt_attn.norm.query_norm.scale": "attn.norm_added_q", "txt_attn.norm.key_norm.scale": "attn.norm_added_k",
        "txt_attn.proj.weight": "attn.to_add_out", "txt_mlp.0.weight": "ff_context.linear_in",
        "txt_mlp.2.weight": "ff_context.linear_out",
    }  # fmt: skip
    single = {
        "linear1.weight": "attn.to_qkv_mlp_proj", "linear2.weight": "attn.to_out",
        "norm.query_norm.scale": "attn.norm_q", "norm.key_norm.scale": "attn.norm_k",
    }  # fmt: skip
    for layer in range(pipeline.transformer.config.num_layers):
        old, new = f"transformer_blocks.{layer}.", f"double_blocks.{layer}."
        out |= {new + name: state[f"{old}{module}.weight"] for name, module in double.items()}
        for side, names in (("img", ("to_q", "to_k", "to_v")), ("txt", ("add_q_proj", "add_k_proj", "add_v_proj"))):
            out[f"{new}{side}_attn.qkv.weight"] = torch.cat([state[f"{old}attn.{name}.weight"] for name in names])
    for layer in range(pipeline.transformer.config.num_single_layers):
        old, new = f"single_transformer_blocks.{layer}.", f"single_blocks.{layer}."
        out |= {new + name: state[f"{old}{module}.weight"] for name, module in single.items()}
    return out


def z_image(pipeline: Any) -> State:
    """The denoiser alone, with query, key and value fused."""
    state = dict(pipeline.transformer.state_dict())
    for name in [name for name in state if name.endswith("attention.to_q.weight")]:
        at = name.removesuffix("to_q.weight")
        state[f"{at}qkv.weight"] = torch.cat([state.pop(f"{at}to_{each}.weight") for each in "qkv"])
    names = {
        "all_final_layer.2-1.": "final_layer.", "all_x_embedder.2-1.": "x_embedder.",
        "attention.to_out.0.": "attention.out.", "attention.norm_q.": "attention.q_norm.",
        "attention.norm_k.": "attention.k_norm.",
    }  # fmt: skip
    for old, new in names.items():
        state = {name.replace(old, new): value for name, value in state.items()}
    return state


def qwen_image(pipeline: Any) -> State:
    """The denoiser alone, as ComfyUI's users pack it."""
    return moved(pipeline.transformer.state_dict(), "", "model.diffusion_model.")


def hidream(pipeline: Any) -> State:
    """The denoiser alone, whose names are those of diffusers."""
    return moved(pipeline.transformer.state_dict(), "", "model.diffusion_model.")


def flux_whole(pipeline: Any) -> State:
    """With text encoders and VAE, as ComfyUI's users pack them."""
    vae = moved(layouts.vae(pipeline.vae), "first_stage_model.", "vae.")
    clip = moved(layouts.clip(pipeline.text_encoder), "cond_stage_model.transformer.", f"{ENCODERS}clip_l.transformer.")
    return flux(pipeline, "model.diffusion_model.") | vae | clip | _t5(pipeline.text_encoder_2)


ENCODERS = "text_encoders."


def _t5(module: Any) -> State:
    state = {k: v for k, v in module.state_dict().items() if k != "encoder.embed_tokens.weight"}
    return moved(state, "", f"{ENCODERS}t5xxl.transformer.")


def sd3(pipeline: Any) -> State:
    whole = {
        "pos_embed.pos_embed": "pos_embed",
        "pos_embed.proj": "x_embedder.proj",
        "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
        "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
        "proj_out": "final_layer.linear",
    }
    state = pipeline.transformer.state_dict()
    out: State = {name: value for name, value in _renamed(state, whole).items() if "transformer_blocks" not in name}
    last = pipeline.transformer.config.num_layers - 1

    def swapped(value: torch.Tensor) -> torch.Tensor:
        return torch.cat(list(reversed(value.chunk(2))))

    for kind in ("weight", "bias"):
        out[f"final_layer.adaLN_modulation.1.{kind}"] = swapped(out.pop(f"norm_out.linear.{kind}"))
    inside = {
        "norm1.linear": "x_block.adaLN_modulation.1",
        "norm1_context.linear": "context_block.adaLN_modulation.1",
        "attn.norm_q": "x_block.attn.ln_q",
        "attn.norm_k": "x_block.attn.ln_k",
        "attn.norm_added_q": "context_block.attn.ln_q",
        "attn.norm_added_k": "context_block.attn.ln_k",
        "attn.to_out.0": "x_block.attn.proj",
        "attn.to_add_out": "context_block.attn.proj",
        "attn2.norm_q": "x_block.attn2.ln_q",
        "attn2.norm_k": "x_block.attn2.ln_k",
        "attn2.to_out.0": "x_block.attn2.proj",
        "ff.net.0.proj": "x_block.mlp.fc1",
        "ff.net.2": "x_block.mlp.fc2",
        "ff_context.net.0.proj": "context_block.mlp.fc1",
        "ff_context.net.2": "context_block.mlp.fc2",
    }
    qkv = {
        "x_block.attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
        "context_block.attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
        "x_block.attn2.qkv": ["attn2.to_q", "attn2.to_k", "attn2.to_v"],
    }
    for layer in range(last + 1):
        block = moved(state, f"transformer_blocks.{layer}.", "")
        new = f"joint_blocks.{layer}."
        for kind in ("weight", "bias"):
            for target, names in qkv.items():
                if f"{names[0]}.{kind}" in block:
                    out[f"{new}{target}.{kind}"] = torch.cat([block.pop(f"{name}.{kind}") for name in names])
        for name, value in block.items():
            module, _, kind = name.rpartition(".")
            swap = layer == last and module == "norm1_context.linear"
            out[f"{new}{inside[module]}.{kind}"] = swapped(value) if swap else value
    made = moved(out, "", "model.diffusion_model.") | layouts.vae(pipeline.vae)
    for encoder, name in ((pipeline.text_encoder, "clip_l"), (pipeline.text_encoder_2, "clip_g")):
        made |= moved(encoder.state_dict(), "", f"{ENCODERS}{name}.transformer.")
    return made | ({} if pipeline.text_encoder_3 is None else _t5(pipeline.text_encoder_3))


def _renamed(state: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> State:
    def new(name: str) -> str:
        module, _, kind = name.rpartition(".")
        return names.get(name) or (f"{names[module]}.{kind}" if module in names else name)

    return {new(name): value for name, value in state.items()}


def flux2_vae(module: Any) -> State:
    """Its two single convolutions stand within encoder and decoder."""
    state = moved(layouts.vae(module), "first_stage_model.", "")
    inside = {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"}
    return {layouts.swap(name, inside): value for name, value in state.items()}


def wan_vae(module: Any) -> State:
    """Wan's video autoencoder, which Qwen-Image's is: blocks are numbered through, layers of a block have numbers."""
    inside = {
        "norm1": "residual.0", "conv1": "residual.2", "norm2": "residual.3", "conv2": "residual.6",
        "conv_shortcut": "shortcut",
    }  # fmt: skip
    ends = {
        "quant_conv": "conv1", "post_quant_conv": "conv2", "encoder.conv_in": "encoder.conv1",
        "decoder.conv_in": "decoder.conv1", "encoder.norm_out": "encoder.head.0", "decoder.norm_out": "decoder.head.0",
        "encoder.conv_out": "encoder.head.2", "decoder.conv_out": "decoder.head.2",
    }  # fmt: skip

    def name(key: str) -> str:
        if found := re.fullmatch(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d)\.(.+)", key):
            at = 1 if found[2] == "attentions" else 2 * int(found[3])
            return f"{found[1]}.middle.{at}.{layouts.swap(found[4], inside)}"
        if found := re.fullmatch(r"encoder\.down_blocks\.(\d+)\.(.+)", key):
            return f"encoder.downsamples.{found[1]}.{layouts.swap(found[2], inside)}"
        if found := re.fullmatch(r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d)\.(.+)", key):
            at = 4 * int(found[1]) + (3 if found[2] == "upsamplers" else int(found[3]))
            return f"decoder.upsamples.{at}.{layouts.swap(found[4], inside)}"
        return layouts.swap(key, ends)

    return {name(key): value for key, value in module.state_dict().items()}
