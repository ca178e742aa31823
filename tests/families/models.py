"""The smallest models of each family's true architecture, as pipelines of diffusers, with the same random weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import (
    BertTokenizer,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

import nodegraph_diffusion

ASSETS = Path(nodegraph_diffusion.__path__[0]) / "assets"
STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def config(family: str, component: str, **changes: Any) -> dict[str, Any]:
    """The shipped configuration of one component, with changes."""
    found: dict[str, Any] = json.loads((ASSETS / "configs" / family / component / "config.json").read_text())
    return found | changes


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def ready(module: nn.Module, louder: tuple[str, ...] = ()) -> Any:
    """In evaluation mode; weights whose names hold one of `louder` are enlarged, since fresh ones hardly look at the
    prompt and the time, and a comparison would not notice wrong ones."""
    for name, weights in module.named_parameters():
        if any(part in name for part in louder):
            weights.data *= 3
        if name.endswith("bias") or weights.abs().sum() == 0:  # fresh ones are zero
            weights.data += 0.05 * torch.randn(weights.shape)
    return module.eval().requires_grad_(False)


def clip(
    width: int = 64, *, projected: bool = False, act: str = "quick_gelu", layers: int = 3, places: int = 77
) -> Any:
    made = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=places,
        projection_dim=width,
        hidden_act=act,
        bos_token_id=49406,
        eos_token_id=49407,
    )
    with seeded(len(act) + projected):
        return ready((CLIPTextModelWithProjection if projected else CLIPTextModel)(made))


def clip_tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(str(ASSETS / "tokenizers" / "clip"), local_files_only=True, pad_token=pad)


def autoencoder(family: str, channels: int = 4) -> Any:
    small = config(family, "vae", block_out_channels=[32, 32, 64, 64], latent_channels=channels, sample_size=64)
    with seeded(1):
        return ready(diffusers.AutoencoderKL.from_config(small))


@cache
def sd1(channels: int = 4) -> Any:
    small = config(
        "sd15", "unet", block_out_channels=[32, 64, 64, 64], cross_attention_dim=64, sample_size=8, in_channels=channels
    )
    with seeded(2):
        unet = ready(diffusers.UNet2DConditionModel.from_config(small), ("attn2",))
    return quiet(
        diffusers.StableDiffusionPipeline(
            vae=autoencoder("sd15"),
            text_encoder=clip(),
            tokenizer=clip_tokenizer(),
            unet=unet,
            scheduler=diffusers.EulerDiscreteScheduler(**STABLE_DIFFUSION, timestep_spacing="leading"),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    )


@cache
def gligen() -> Any:
    """Stable Diffusion 1 with open gates, which fresh ones are not."""
    plain = sd1()
    with seeded(23):
        told = {name: value for name, value in plain.unet.config.items() if not name.startswith("_")}
        unet = diffusers.UNet2DConditionModel.from_config(told | {"attention_type": "gated"})
        ready(unet, ("fuser.linear", "position_net"))
        for name, weights in unet.named_parameters():
            if ".alpha_" in name or "null_" in name:
                weights.data += 1
    unet.load_state_dict(plain.unet.state_dict(), strict=False)
    return quiet(
        diffusers.StableDiffusionGLIGENPipeline(
            **{name: part for name, part in plain.components.items() if name not in ("unet", "image_encoder")},
            unet=unet,
            requires_safety_checker=False,
        )
    )


@cache
def ldm(folder: Path) -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    small = config("sd15", "unet", block_out_channels=[32, 64, 64, 64], cross_attention_dim=32, sample_size=8)
    settings = LDMBertConfig(
        vocab_size=64, max_position_embeddings=77, encoder_layers=2, encoder_ffn_dim=64, encoder_attention_heads=2,
        head_dim=16, d_model=32,
    )  # fmt: skip
    with seeded(13):
        unet = ready(diffusers.UNet2DConditionModel.from_config(small), ("attn2",))
        bert = ready(LDMBertModel(settings))
    return quiet(
        diffusers.LDMTextToImagePipeline(
            vqvae=autoencoder("sd15"),
            bert=bert,
            tokenizer=BertTokenizer(str(folder / "vocab.txt")),
            unet=unet,
            scheduler=diffusers.DDIMScheduler(**STABLE_DIFFUSION, clip_sample=False, set_alpha_to_one=True),
        )
    )


@cache
def sd_x4() -> Any:
    """A UNet of seven channels, told the noise level as a class, beside an autoencoder of cells of four pixels."""
    small = config(
        "sd21", "unet", in_channels=7, num_class_embeds=1000, block_out_channels=[32, 64, 64, 64],
        attention_head_dim=8, cross_attention_dim=64, sample_size=16, only_cross_attention=[True, True, True, False],
        down_block_types=["DownBlock2D", *["CrossAttnDownBlock2D"] * 3],
        up_block_types=[*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"],
    )  # fmt: skip
    narrow = config(
        "sd21", "vae", block_out_channels=[32, 32, 64], sample_size=64, scaling_factor=0.08333,
        down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
    )  # fmt: skip
    with seeded(15):
        unet = ready(diffusers.UNet2DConditionModel.from_config(small), ("attn2", "class_embedding"))
        vae = ready(diffusers.AutoencoderKL.from_config(narrow))
    noise = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
    return quiet(
        diffusers.StableDiffusionUpscalePipeline(
            vae=vae,
            text_encoder=clip(act="gelu"),
            tokenizer=clip_tokenizer("!"),
            unet=unet,
            low_res_scheduler=diffusers.DDPMScheduler(**noise),
            scheduler=diffusers.DDIMScheduler(
                **noise, prediction_type="v_prediction", clip_sample=False, steps_offset=1
            ),
        )
    )


@cache
def ldm_sr() -> Any:
    with seeded(16):
        unet = ready(
            diffusers.UNet2DModel(
                in_channels=6, out_channels=3, block_out_channels=(32, 32, 64, 64), layers_per_block=1,
                down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
                up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=32,
            )
        )  # fmt: skip
        vqvae = ready(
            diffusers.VQModel(
                block_out_channels=(32, 32, 64), latent_channels=3, num_vq_embeddings=64,
                down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
            )
        )  # fmt: skip
        vqvae.quantize.embedding.weight.data.normal_()
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.0015, beta_end=0.0155, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )
    return quiet(diffusers.LDMSuperResolutionPipeline(vqvae=vqvae, unet=unet, scheduler=scheduler))


@cache
def sdxl() -> Any:
    small = config(
        "sdxl",
        "unet",
        block_out_channels=[64, 64, 128],
        attention_head_dim=[1, 1, 2],
        cross_attention_dim=128,
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=64 + 6 * 256,
        transformer_layers_per_block=[1, 2, 3],
        sample_size=8,
    )
    with seeded(3):
        unet = ready(diffusers.UNet2DConditionModel.from_config(small), ("attn2", "add_embedding"))
    return quiet(
        diffusers.StableDiffusionXLPipeline(
            vae=autoencoder("sdxl"),
            text_encoder=clip(),
            text_encoder_2=clip(projected=True, act="gelu"),
            tokenizer=clip_tokenizer(),
            tokenizer_2=clip_tokenizer("!"),
            unet=unet,
            scheduler=diffusers.EulerDiscreteScheduler(**STABLE_DIFFUSION, timestep_spacing="leading"),
            add_watermarker=False,
        )
    )


@cache
def sdxl_refiner() -> Any:
    levels = ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
    small = config(
        "sdxl",
        "unet",
        block_out_channels=[64, 64, 128, 128],
        down_block_types=levels,
        up_block_types=[kind.replace("Down", "Up") for kind in reversed(levels)],
        attention_head_dim=[1, 1, 2, 2],
        cross_attention_dim=64,
        projection_class_embeddings_input_dim=64 + 5 * 256,
        transformer_layers_per_block=[4, 2, 2, 4],
        sample_size=8,
    )
    with seeded(4):
        unet = ready(diffusers.UNet2DConditionModel.from_config(small), ("attn2", "add_embedding"))
    return quiet(
        diffusers.StableDiffusionXLImg2ImgPipeline(
            vae=autoencoder("sdxl"),
            text_encoder=None,
            text_encoder_2=clip(projected=True, act="gelu"),
            tokenizer=None,
            tokenizer_2=clip_tokenizer("!"),
            unet=unet,
            scheduler=diffusers.EulerDiscreteScheduler(**STABLE_DIFFUSION, timestep_spacing="leading"),
            requires_aesthetics_score=True,
            force_zeros_for_empty_prompt=False,
            add_watermarker=False,
        )
    )


def t5(width: int = 32) -> Any:
    made = T5Config(
        vocab_size=32128, d_model=width, d_kv=16, d_ff=64, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu"
    )
    with seeded(6):
        return ready(T5EncoderModel(made))


def t5_tokenizer() -> Any:
    return T5TokenizerFast.from_pretrained(str(ASSETS / "tokenizers" / "t5"), local_files_only=True)


TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]


def qwen_tokenizer(**more: Any) -> Any:
    """Bytes alone, with the marks of a conversation."""
    letters = sorted(ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate([*letters, *SPECIAL])}
    made = Qwen2Tokenizer(
        vocab=vocabulary, merges=[], pad_token=SPECIAL[0], eos_token=SPECIAL[2],
        extra_special_tokens=SPECIAL[3:], **more,
    )  # fmt: skip
    made.chat_template = TEMPLATE
    return made


QWEN: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 2048,
}


def qwen3(layers: int, cls: Any = Qwen3ForCausalLM, **changes: Any) -> Any:
    tied: dict[str, Any] = {"num_hidden_layers": layers, "head_dim": 8, "tie_word_embeddings": True}
    with seeded(7):
        return ready(cls(Qwen3Config(**QWEN | tied | changes)))


def qwen2_5() -> Any:
    """It knows the words and marks of `qwen_tokenizer`."""
    rope = {"rope_type": "default", "type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    text = QWEN | {"num_hidden_layers": 2, "rope_parameters": rope, "tie_word_embeddings": False}
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    return _qwen2_5(text, vision, 259, 260, 261, 299)


def published_qwen2_5() -> Any:
    """As narrow as one can be whose heads, marks and vocabulary are the published ones."""
    rope = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    text = {"vocab_size": 152_064, "hidden_size": 128, "intermediate_size": 32, "num_attention_heads": 1,
            "num_key_value_heads": 1, "num_hidden_layers": 2, "rope_parameters": rope,
            "rms_norm_eps": 1e-6}  # fmt: skip
    vision = {"depth": 1, "hidden_size": 80, "intermediate_size": 16, "num_heads": 1, "out_hidden_size": 128}
    return _qwen2_5(text, vision, 151_652, 151_653, 151_655, 151_656)


def _qwen2_5(text: dict[str, Any], vision: dict[str, Any], start: int, end: int, image: int, video: int) -> Any:
    made = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision | {"tokens_per_second": 2}, vision_start_token_id=start,
        vision_end_token_id=end, image_token_id=image, video_token_id=video,
    )  # fmt: skip
    with seeded(10):
        return ready(Qwen2_5_VLForConditionalGeneration(made))


@cache
def sd3() -> Any:
    return _sd3(t5(160))


def _sd3(third: Any) -> Any:
    small = config(
        "sd3-medium",
        "transformer",
        sample_size=8,
        num_layers=2,
        num_attention_heads=1,
        attention_head_dim=64,
        caption_projection_dim=64,
        joint_attention_dim=160,
        pooled_projection_dim=128,
        pos_embed_max_size=48,
        qk_norm="rms_norm",
        dual_attention_layers=[0],
    )
    with seeded(5):
        transformer = ready(diffusers.SD3Transformer2DModel.from_config(small), ("context_embedder", "time_text_embed"))
    return quiet(
        diffusers.StableDiffusion3Pipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=autoencoder("sd3-medium", 16),
            text_encoder=clip(projected=True),
            text_encoder_2=clip(projected=True, act="gelu"),
            text_encoder_3=third,
            tokenizer=clip_tokenizer(),
            tokenizer_2=clip_tokenizer("!"),
            tokenizer_3=None if third is None else t5_tokenizer(),
        )
    )


def flux_transformer(**changes: Any) -> Any:
    small: dict[str, Any] = {
        "num_layers": 2,
        "num_single_layers": 2,
        "num_attention_heads": 2,
        "attention_head_dim": 32,
        "axes_dims_rope": [4, 14, 14],
        "in_channels": 64,
        "joint_attention_dim": 32,
        "pooled_projection_dim": 64,
    }
    with seeded(8):
        made = diffusers.FluxTransformer2DModel.from_config(config("flux-dev", "transformer", **small | changes))
        return ready(made, ("context_embedder", "time_text_embed"))


def _flux(cls: Any, **changes: Any) -> Any:
    dynamic = changes.get("guidance_embeds", True)
    return quiet(
        cls(
            transformer=flux_transformer(**changes),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
                shift=3.0 if dynamic else 1.0, use_dynamic_shifting=dynamic
            ),
            vae=autoencoder("flux-dev", 16),
            text_encoder=clip(),
            text_encoder_2=t5(),
            tokenizer=clip_tokenizer(),
            tokenizer_2=t5_tokenizer(),
        )
    )


@cache
def flux_dev() -> Any:
    return _flux(diffusers.FluxPipeline)


@cache
def flux_schnell() -> Any:
    return _flux(diffusers.FluxPipeline, guidance_embeds=False)


@cache
def flux_fill() -> Any:
    return _flux(diffusers.FluxFillPipeline, in_channels=384, out_channels=64)


@cache
def flux_canny() -> Any:
    return _flux(diffusers.FluxControlPipeline, in_channels=128, out_channels=64)


@cache
def chroma() -> Any:
    with seeded(17):
        transformer = ready(
            diffusers.ChromaTransformer2DModel(
                in_channels=64, num_layers=2, num_single_layers=2, attention_head_dim=32, num_attention_heads=2,
                joint_attention_dim=32, axes_dims_rope=(4, 14, 14), approximator_hidden_dim=32, approximator_layers=2,
            ),
            ("context_embedder", "distilled_guidance_layer"),
        )  # fmt: skip
    transformer.register_to_config(guidance_embeds=False)  # which the pipeline for inpainting asks for in vain
    # diffusers 0.42 gives attention 1 and 0 to add, where its authors' code and ComfyUI leave the padding out.
    for cls in (diffusers.ChromaPipeline, diffusers.ChromaImg2ImgPipeline, diffusers.ChromaInpaintPipeline):
        cls._prepare_attention_mask = _left_out
    return quiet(
        diffusers.ChromaPipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=autoencoder("flux-dev", 16),
            text_encoder=t5(),
            tokenizer=t5_tokenizer(),
        )
    )


def _left_out(pipeline: Any, batch_size: int, sequence_length: int, dtype: Any, attention_mask: Any) -> Any:
    return torch.cat([attention_mask, torch.ones(batch_size, sequence_length)], dim=1).bool()


def flux2_transformer(**changes: Any) -> Any:
    small: dict[str, Any] = {
        "in_channels": 128, "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
        "joint_attention_dim": 48, "timestep_guidance_channels": 256, "axes_dims_rope": (4, 4, 4, 4),
    }  # fmt: skip
    with seeded(9):
        made = diffusers.Flux2Transformer2DModel(**small | changes)
        return ready(made, ("context_embedder", "time_guidance_embed"))


def flux2_vae() -> Any:
    with seeded(9):
        vae = diffusers.AutoencoderKLFlux2(
            block_out_channels=(32, 32, 64, 64), layers_per_block=1, latent_channels=32, sample_size=64,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip
        vae.bn.running_mean.normal_()
        vae.bn.running_var.uniform_(0.5, 2)
    return ready(vae)


@cache
def flux2_klein() -> Any:
    return quiet(
        diffusers.Flux2KleinPipeline(
            transformer=flux2_transformer(guidance_embeds=False),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=flux2_vae(),
            text_encoder=qwen3(28, Qwen3ForCausalLM),
            tokenizer=qwen_tokenizer(),
        )
    )


MISTRAL = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{% for part in m.content %}{{ part.text }}{% endfor %}"
    "[/{{ m.role }}]{% endfor %}"
)


@cache
def flux2_dev() -> Any:
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 32}  # fmt: skip
    text = {"model_type": "mistral", "num_hidden_layers": 31, "head_dim": 8, "sliding_window": None}
    made = Mistral3Config(
        text_config=QWEN | text, vision_config=vision | {"model_type": "pixtral"}, image_token_index=261
    )
    with seeded(18):
        encoder = ready(Mistral3ForConditionalGeneration(made))
    tokenizer = qwen_tokenizer(bos_token=SPECIAL[1], padding_side="left")
    tokenizer.chat_template = MISTRAL
    return quiet(
        diffusers.Flux2Pipeline(
            transformer=flux2_transformer(guidance_embeds=True),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=flux2_vae(),
            text_encoder=encoder,
            tokenizer=tokenizer,
        )
    )


LLAMA = "<|begin_of_text|>", "<|eot_id|>"


def llama_tokenizer() -> Any:
    """Bytes alone, with the marks of Llama 3.1, the first of which it puts before each text."""
    vocabulary = {letter: index for index, letter in enumerate([*sorted(ByteLevel.alphabet()), *LLAMA])}
    made = Tokenizer(BPE(vocabulary, []))
    made.pre_tokenizer, made.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    made.add_special_tokens(list(LLAMA))
    start = (LLAMA[0], vocabulary[LLAMA[0]])
    made.post_processor = TemplateProcessing(single=f"{LLAMA[0]} $A", special_tokens=[start])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=LLAMA[0], eos_token=LLAMA[1])


def llama() -> Any:
    """As narrow as one can be whose heads and positions are the published ones."""
    rope = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192}  # fmt: skip
    tall = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 128, "vocab_size": 260, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 131072, "rope_parameters": rope}  # fmt: skip
    with seeded(19):
        return ready(LlamaForCausalLM(LlamaConfig(**tall)))


@cache
def hidream() -> Any:
    with seeded(19):
        transformer = ready(
            diffusers.HiDreamImageTransformer2DModel(
                patch_size=2, in_channels=16, out_channels=16, num_layers=2, num_single_layers=2,
                attention_head_dim=128, num_attention_heads=1, caption_channels=[48, 32], text_emb_dim=128,
                axes_dims_rope=(64, 32, 32), max_resolution=(128, 128), llama_layers=[0, 1, 2, 3],
            ),
            ("caption_projection", "embedder"),
        )  # fmt: skip
    made = quiet(
        diffusers.HiDreamImagePipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=autoencoder("flux-dev", 16),
            text_encoder=clip(projected=True, places=248),
            text_encoder_2=clip(projected=True, act="gelu", places=248),
            text_encoder_3=t5(48),
            text_encoder_4=llama(),
            tokenizer=clip_tokenizer(),
            tokenizer_2=clip_tokenizer("!"),
            tokenizer_3=t5_tokenizer(),
            tokenizer_4=llama_tokenizer(),
        )
    )
    made.default_sample_size = 8  # to whose square it brings every size
    return made


def qwen_transformer(width: int = 16) -> Any:
    with seeded(10):
        return ready(
            diffusers.QwenImageTransformer2DModel(
                in_channels=64, out_channels=16, num_layers=2, attention_head_dim=16, num_attention_heads=2,
                joint_attention_dim=width, axes_dims_rope=(4, 6, 6),
            ),
            ("txt_in", "time_text_embed"),
        )  # fmt: skip


@cache
def qwen_image() -> Any:
    with seeded(10):
        vae = ready(diffusers.AutoencoderKLQwenImage(base_dim=8, z_dim=16, dim_mult=[1, 2, 2, 2], num_res_blocks=1))
    shift = {"base_shift": 0.5, "max_shift": 0.9, "max_image_seq_len": 8192, "shift_terminal": 0.02}
    return quiet(
        diffusers.QwenImagePipeline(
            transformer=qwen_transformer(),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, **shift),
            vae=vae,
            text_encoder=qwen2_5(),
            tokenizer=qwen_tokenizer(),
        )
    )


@cache
def z_image() -> Any:
    with seeded(11):
        transformer = ready(
            diffusers.ZImageTransformer2DModel(
                in_channels=16, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
                axes_dims=[4, 6, 6], axes_lens=[256, 32, 32],
            ),
            ("cap_embedder", "t_embedder"),
        )  # fmt: skip
    return quiet(
        diffusers.ZImagePipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=autoencoder("flux-dev", 16),
            text_encoder=qwen3(3, Qwen3Model),
            tokenizer=qwen_tokenizer(),
        )
    )


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


FAMILIES: dict[str, Callable[[], Any]] = {
    "sd1": sd1,
    "sdxl": sdxl,
    "sdxl_refiner": sdxl_refiner,
    "sd3": sd3,
    "flux_dev": flux_dev,
    "flux_schnell": flux_schnell,
    "flux_fill": flux_fill,
    "flux_canny": flux_canny,
    "chroma": chroma,
    "hidream": hidream,
    "flux2_dev": flux2_dev,
    "flux2_klein": flux2_klein,
    "qwen_image": qwen_image,
    "z_image": z_image,
}
