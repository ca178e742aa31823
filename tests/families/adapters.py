"""What goes beside the tiny models of `models`: adapters of true architecture and random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, SiglipVisionConfig, SiglipVisionModel

from families import models

FILLS = 15
"""The seed of a ControlNet that fills a hole."""


def control_net(family: str, seed: int = 12) -> Any:
    """A ControlNet of a family's true architecture that changes what its denoiser gives."""
    with models.seeded(seed):
        if family in ("sd1", "sdxl"):
            made = diffusers.ControlNetModel.from_unet(models.FAMILIES[family]().unet, load_weights_from_unet=False)
        elif family == "sd3":
            made = diffusers.SD3ControlNetModel(
                sample_size=8, patch_size=2, in_channels=16, num_layers=2, attention_head_dim=64,
                num_attention_heads=1, joint_attention_dim=160, caption_projection_dim=64, pooled_projection_dim=128,
                out_channels=16, pos_embed_max_size=48, qk_norm="rms_norm", force_zeros_for_pooled_projection=seed > 12,
            )  # fmt: skip
        elif family == "qwen_image":
            made = diffusers.QwenImageControlNetModel.from_transformer(
                models.qwen_image().transformer, num_layers=1, attention_head_dim=16, num_attention_heads=2,
                extra_condition_channels=4 if seed == FILLS else 0,
            )  # fmt: skip
        else:
            made = diffusers.FluxControlNetModel(
                in_channels=64, num_layers=2, num_single_layers=1, attention_head_dim=32, num_attention_heads=2,
                joint_attention_dim=32, pooled_projection_dim=64, guidance_embeds=True, axes_dims_rope=[4, 14, 14],
            )  # fmt: skip
        for weights in made.parameters():
            if weights.abs().sum() == 0 and weights.ndim > 1:  # the layers that training starts from nothing
                weights.data += 0.1 * torch.randn(weights.shape)
        return models.ready(made)


def union_control_net() -> Any:
    """A ControlNet for SDXL that knows pictures of six kinds."""
    unet = models.FAMILIES["sdxl"]().unet.config
    first = unet["block_out_channels"][0]
    kept = (
        "flip_sin_to_cos", "freq_shift", "down_block_types", "block_out_channels", "layers_per_block",
        "downsample_padding", "act_fn", "norm_num_groups", "norm_eps", "cross_attention_dim",
        "transformer_layers_per_block", "attention_head_dim", "use_linear_projection", "addition_embed_type",
        "addition_time_embed_dim", "projection_class_embeddings_input_dim",
    )  # fmt: skip
    with models.seeded(16):
        made = diffusers.ControlNetUnionModel(
            **{name: unet[name] for name in kept}, num_control_type=6, num_trans_channel=first, num_trans_head=2,
            num_trans_layer=1, num_proj_channel=first, conditioning_embedding_out_channels=(16, 32, 48, first),
        )  # fmt: skip
        for weights in made.parameters():
            if weights.abs().sum() == 0 and weights.ndim > 1:  # the layers that training starts from nothing
                weights.data += 0.1 * torch.randn(weights.shape)
        return models.ready(made)


def image_encoder() -> Any:
    small = CLIPVisionConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=32, patch_size=16,
        projection_dim=32,
    )  # fmt: skip
    with models.seeded(20):
        return models.ready(CLIPVisionModelWithProjection(small))


def redux(width: int) -> tuple[Any, Any]:
    """An encoder of pictures and a style model that makes prompts `width` wide of what it sees."""
    small = SiglipVisionConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=1, image_size=28, patch_size=14
    )  # fmt: skip
    with models.seeded(31):
        style = models.ready(diffusers.ReduxImageEncoder(64, width))
        style.redux_down.weight.data *= 15  # fresh weights say little
        return models.ready(SiglipVisionModel(small)), style


def save_redux(folder: Path, width: int) -> tuple[Path, Path]:
    """Both as files of their own, in the layout that people have."""
    encoder, style = redux(width)
    files = folder / "sig.safetensors", folder / "redux.safetensors"
    save_file({f"vision_model.{name}": value for name, value in encoder.state_dict().items()}, files[0])
    save_file(dict(style.state_dict()), files[1])
    return files


def ip_adapter(unet: Any, kind: str, seed: int = 21) -> dict[str, torch.Tensor]:
    """An IP-Adapter in the layout of its authors."""
    width, eyes = unet.config.cross_attention_dim, image_encoder().config
    state: dict[str, torch.Tensor] = {}
    with models.seeded(seed):

        def linear(name: str, out: int, into: int, bias: bool = True) -> None:
            state[f"{name}.weight"] = torch.randn(out, into) / into**0.5
            if bias:
                state[f"{name}.bias"] = torch.randn(out) / 4

        def norm(name: str, size: int) -> None:
            state[f"{name}.weight"], state[f"{name}.bias"] = 1 + torch.randn(size) / 4, torch.randn(size) / 4

        if kind == "plain":
            linear("image_proj.proj", 4 * width, eyes.projection_dim)
            norm("image_proj.norm", width)
        elif kind == "full":
            linear("image_proj.proj.0", eyes.hidden_size, eyes.hidden_size)
            linear("image_proj.proj.2", width, eyes.hidden_size)
            norm("image_proj.proj.3", width)
        else:
            state["image_proj.latents"] = torch.randn(1, 5, 64)
            linear("image_proj.proj_in", 64, eyes.hidden_size)
            linear("image_proj.proj_out", width, 64)
            norm("image_proj.norm_out", width)
            for layer in range(4):
                at = f"image_proj.layers.{layer}"
                for each in ("0.norm1", "0.norm2", "1.0"):
                    norm(f"{at}.{each}", 64)
                for each, out in (("0.to_q", 64), ("0.to_kv", 128), ("0.to_out", 64)):
                    linear(f"{at}.{each}", out, 64, bias=False)
                linear(f"{at}.1.1", 256, 64, bias=False)
                linear(f"{at}.1.3", 64, 256, bias=False)
        layers = [module for name, module in unet.named_modules() if name.endswith("attn2")]
        for index, layer in enumerate(layers):
            for each in "kv":
                linear(f"ip_adapter.{2 * index + 1}.to_{each}_ip", layer.to_q.weight.shape[0], width, bias=False)
    return state


def flux_ip_adapter(transformer: Any) -> dict[str, torch.Tensor]:
    """An IP-Adapter for Flux in the layout of XLabs."""
    width, inner = transformer.config.joint_attention_dim, transformer.inner_dim
    eyes = image_encoder().config.projection_dim
    with models.seeded(31):
        state = {
            "ip_adapter_proj_model.proj.weight": torch.randn(4 * width, eyes) / eyes**0.5,
            "ip_adapter_proj_model.proj.bias": torch.randn(4 * width) / 4,
            "ip_adapter_proj_model.norm.weight": 1 + torch.randn(width) / 4,
            "ip_adapter_proj_model.norm.bias": torch.randn(width) / 4,
        }
        for index in range(len(transformer.transformer_blocks)):
            for each in "kv":
                at = f"double_blocks.{index}.processor.ip_adapter_double_stream_{each}_proj"
                state |= {f"{at}.weight": torch.randn(inner, width) / width**0.5, f"{at}.bias": torch.randn(inner) / 4}
    return state


def t2i_adapter(family: str, seed: int = 17, channels: int = 3, kind: str = "", inner: int = 1) -> Any:
    """A T2I-Adapter that changes what its UNet gives."""
    kinds = {"sd1": ("full_adapter", [32, 64, 64, 64], 8), "sdxl": ("full_adapter_xl", [64, 64, 128, 128], 16)}
    usual, widths, factor = kinds[family]
    with models.seeded(seed):
        return models.ready(
            diffusers.T2IAdapter(
                in_channels=channels, channels=widths[:3] if kind else widths, num_res_blocks=inner,
                downscale_factor=factor, adapter_type=kind or usual,
            )
        )  # fmt: skip
