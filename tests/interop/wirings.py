"""The wirings of ComfyUI's own examples as API prompts: names, links and values as they are there, texts of our own."""

from __future__ import annotations

from typing import Any

Prompt = dict[str, dict[str, Any]]


def node(class_type: str, /, **inputs: Any) -> dict[str, Any]:
    """A node. `"14.0"` behind a name that ends in `_` is a link: `model_="14.0"`."""
    made: dict[str, Any] = {}
    for name, value in inputs.items():
        source, _, slot = str(value).partition(".")
        made[name.removesuffix("_")] = [source, int(slot)] if name.endswith("_") else value
    return {"class_type": class_type, "inputs": made}


def text(clip: str, words: str) -> dict[str, Any]:
    return node("CLIPTextEncode", text=words, clip_=clip)


def sampler(
    model: str, positive: str, negative: str, latent: str, seed: int, steps: int, cfg: float, name: str,
    scheduler: str = "normal", denoise: float = 1.0,
) -> dict[str, Any]:  # fmt: skip
    return node(
        "KSampler", seed=seed, steps=steps, cfg=cfg, sampler_name=name, scheduler=scheduler, denoise=denoise,
        model_=model, positive_=positive, negative_=negative, latent_image_=latent,
    )  # fmt: skip


def checkpoint(name: str) -> dict[str, Any]:
    return node("CheckpointLoaderSimple", ckpt_name=name)


def empty(size: int) -> dict[str, Any]:
    return node("EmptyLatentImage", width=size, height=size, batch_size=1)


def image(name: str) -> dict[str, Any]:
    return {"class_type": "LoadImage", "inputs": {"image": name, "choose file to upload": "image"}}


def decoded(latent: str, vae: str, id: str = "8", save: str = "9") -> Prompt:
    saved = node("SaveImage", filename_prefix="ComfyUI", images_=f"{id}.0")
    return {id: node("VAEDecode", samples_=latent, vae_=vae), save: saved}


IMG2IMG: Prompt = {
    "3": sampler("14.0", "6.0", "7.0", "12.0", 280823642470253, 20, 8.0, "dpmpp_2m", denoise=0.8700000000000001),
    "6": text("14.1", "a (cat:1.2) on a blue background"),
    "7": text("14.1", "a dog"),
    **decoded("3.0", "14.2"),
    "10": image("example.png"),
    "12": node("VAEEncode", pixels_="10.0", vae_="14.2"),
    "14": checkpoint("v1-5-pruned-emaonly.ckpt"),
}
INPAINT: Prompt = {
    "3": sampler("29.0", "6.0", "7.0", "26.0", 1040111309094545, 20, 8.0, "uni_pc_bh2"),
    "6": text("29.1", "a cat on a blue background"),
    "7": text("29.1", ""),
    **decoded("3.0", "29.2"),
    "20": image("yosemite_inpaint_example.png"),
    "26": node("VAEEncodeForInpaint", pixels_="20.0", vae_="29.2", mask_="20.1"),
    "29": checkpoint("512-inpainting-ema.safetensors"),
}
OUTPAINT: Prompt = {
    "3": sampler("29.0", "6.0", "7.0", "26.0", 152545289528694, 20, 8.0, "uni_pc_bh2"),
    "6": text("29.1", "a cat on a blue background"),
    "7": text("29.1", ""),
    **decoded("3.0", "29.2"),
    "20": image("yosemite_outpaint_example.png"),
    "26": node("VAEEncodeForInpaint", grow_mask_by=8, pixels_="30.0", vae_="29.2", mask_="30.1"),
    "29": checkpoint("512-inpainting-ema.safetensors"),
    "30": node("ImagePadForOutpaint", left=0, top=128, right=0, bottom=128, feathering=40, image_="20.0"),
}
HIRES_LATENT: Prompt = {
    "3": sampler("16.0", "6.0", "7.0", "5.0", 89848141647836, 12, 8.0, "dpmpp_sde"),
    "5": empty(768),
    "6": text("16.1", "a cat on a blue background"),
    "7": text("16.1", ""),
    **decoded("3.0", "16.2"),
    "10": node(
        "LatentUpscale", upscale_method="nearest-exact", width=1152, height=1152, crop="disabled", samples_="3.0"
    ),
    "11": sampler("16.0", "6.0", "7.0", "10.0", 469771404043268, 14, 8.0, "dpmpp_2m", "simple", 0.5),
    **decoded("11.0", "16.2", "13", "12"),
    "16": checkpoint("v2-1_768-ema-pruned.ckpt"),
}  # fmt: skip
HIRES_ESRGAN: Prompt = {
    "3": sampler("25.0", "6.0", "7.0", "5.0", 251225068430076, 12, 8.0, "dpmpp_sde"),
    "5": empty(768),
    "6": text("25.1", "a cat on a blue background"),
    "7": text("25.1", ""),
    **decoded("3.0", "25.2"),
    "11": sampler("25.0", "6.0", "7.0", "20.0", 783745448521451, 14, 8.0, "uni_pc_bh2", denoise=0.5),
    **decoded("11.0", "25.2", "13", "12"),
    "20": node("VAEEncode", pixels_="24.0", vae_="25.2"),
    "21": node("VAEDecode", samples_="3.0", vae_="25.2"),
    "22": node("ImageUpscaleWithModel", upscale_model_="23.0", image_="21.0"),
    "23": node("UpscaleModelLoader", model_name="RealESRGAN_x4plus.pth"),
    "24": node("ImageScale", upscale_method="bilinear", width=1536, height=1536, crop="disabled", image_="22.0"),
    "25": checkpoint("v2-1_768-ema-pruned.ckpt"),
}
LORA: Prompt = {
    "3": sampler("10.0", "6.0", "7.0", "5.0", 513173432917412, 20, 8.0, "euler"),
    "4": checkpoint("v1-5-pruned-emaonly.ckpt"),
    "5": empty(512),
    "6": text("10.1", "a cat on a blue background"),
    "7": text("10.1", ""),
    **decoded("3.0", "4.2"),
    "10": node(
        "LoraLoader",
        lora_name="epiNoiseoffset_v2.safetensors",
        strength_model=1.0,
        strength_clip=1.0,
        model_="11.0",
        clip_="11.1",
    ),
    "11": node(
        "LoraLoader",
        lora_name="theovercomer8sContrastFix_sd15.safetensors",
        strength_model=1.0,
        strength_clip=1.0,
        model_="4.0",
        clip_="4.1",
    ),
}  # fmt: skip
CONTROLNET: Prompt = {
    "3": sampler("14.0", "10.0", "7.0", "5.0", 1002496614778823, 16, 6.0, "uni_pc"),
    "5": empty(512),
    "6": text("14.1", "a cat on a blue background"),
    "7": text("14.1", ""),
    **decoded("3.0", "13.0"),
    "10": node("ControlNetApply", strength=0.8999999999999999, conditioning_="6.0", control_net_="12.0", image_="11.0"),
    "11": image("input_scribble_example.png"),
    "12": node("ControlNetLoader", control_net_name="control_scribble.safetensors"),
    "13": node("VAELoader", vae_name="vae-ft-mse-840000-ema-pruned.safetensors"),
    "14": checkpoint("Anything-V3.0.ckpt"),
}
TWO_CONTROLNETS: Prompt = {
    "3": sampler("31.0", "23.0", "7.0", "5.0", 894480165483805, 12, 6.0, "dpmpp_sde"),
    "5": empty(768),
    "7": text("31.1", ""),
    **decoded("3.0", "15.0"),
    "15": node("VAELoader", vae_name="kl-f8-anime2.ckpt"),
    "20": image("house_scribble.png"),
    "21": image("pose_present.png"),
    "22": node("ControlNetApply", strength=1.0, conditioning_="24.0", control_net_="27.0", image_="21.0"),
    "23": node(
        "ControlNetApply", strength=0.8000000000000003, conditioning_="22.0", control_net_="26.0", image_="20.0"
    ),
    "24": text("31.1", "a cat on a blue background"),
    "26": node("ControlNetLoader", control_net_name="control_scribble.safetensors"),
    "27": node("ControlNetLoader", control_net_name="control_openpose.safetensors"),
    "31": checkpoint("AOM3A1.safetensors"),
}  # fmt: skip
ESRGAN: Prompt = {
    "3": sampler("4.0", "6.0", "7.0", "5.0", 833543590226030, 20, 8.0, "euler"),
    "4": checkpoint("v1-5-pruned-emaonly.ckpt"),
    "5": empty(512),
    "6": text("4.1", "a cat on a blue background"),
    "7": text("4.1", ""),
    "8": node("VAEDecode", samples_="3.0", vae_="4.2"),
    "9": node("SaveImage", filename_prefix="ComfyUI", images_="14.0"),
    "13": node("UpscaleModelLoader", model_name="RealESRGAN_x2.pth"),
    "14": node("ImageUpscaleWithModel", upscale_model_="13.0", image_="8.0"),
}
GLIGEN: Prompt = {
    "3": sampler("4.0", "27.0", "7.0", "5.0", 1023216319780679, 20, 8.0, "uni_pc_bh2"),
    "4": checkpoint("v1-5-pruned-emaonly.ckpt"),
    "5": empty(768),
    "7": text("4.1", ""),
    **decoded("3.0", "4.2"),
    "10": node("GLIGENLoader", gligen_name="gligen_sd14_textbox_pruned.safetensors"),
    "21": node(
        "GLIGENTextBoxApply",
        text="a cat",
        width=192,
        height=304,
        x=176,
        y=272,
        conditioning_to_="24.0",
        clip_="4.1",
        gligen_textbox_model_="10.0",
    ),
    "24": text("4.1", "a cat and an apple"),
    "27": node(
        "GLIGENTextBoxApply",
        text="an apple",
        width=144,
        height=144,
        x=416,
        y=16,
        conditioning_to_="21.0",
        clip_="4.1",
        gligen_textbox_model_="10.0",
    ),
}  # fmt: skip
SDXL: Prompt = {
    "4": checkpoint("sd_xl_base_1.0.safetensors"),
    "5": empty(1024),
    "6": text("4.1", "a cat on a blue background"),
    "7": text("4.1", ""),
    "10": node(
        "KSamplerAdvanced", add_noise="enable", noise_seed=721897303308196, steps=25, cfg=8.0, sampler_name="euler",
        scheduler="normal", start_at_step=0, end_at_step=20, return_with_leftover_noise="enable", model_="4.0",
        positive_="6.0", negative_="7.0", latent_image_="5.0",
    ),
    "11": node(
        "KSamplerAdvanced", add_noise="disable", noise_seed=0, steps=25, cfg=8.0, sampler_name="euler",
        scheduler="normal", start_at_step=20, end_at_step=10000, return_with_leftover_noise="disable", model_="12.0",
        positive_="15.0", negative_="16.0", latent_image_="10.0",
    ),
    "12": checkpoint("sd_xl_refiner_1.0.safetensors"),
    "15": text("12.1", "a cat on a blue background"),
    "16": text("12.1", ""),
    **decoded("11.0", "12.2", "17", "19"),
}  # fmt: skip
FLUX: Prompt = {
    "6": text("11.0", "a cat on a blue background"),
    **decoded("13.0", "10.0"),
    "10": node("VAELoader", vae_name="ae.safetensors"),
    "11": node("DualCLIPLoader", clip_name1="t5xxl_fp16.safetensors", clip_name2="clip_l.safetensors", type="flux"),
    "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
    "13": node(
        "SamplerCustomAdvanced", noise_="25.0", guider_="22.0", sampler_="16.0", sigmas_="17.0", latent_image_="27.0"
    ),
    "16": node("KSamplerSelect", sampler_name="euler"),
    "17": node("BasicScheduler", scheduler="simple", steps=20, denoise=1.0, model_="30.0"),
    "22": node("BasicGuider", model_="30.0", conditioning_="26.0"),
    "25": node("RandomNoise", noise_seed=219670278747233),
    "26": node("FluxGuidance", guidance=3.5, conditioning_="6.0"),
    "27": node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
    "30": node("ModelSamplingFlux", max_shift=1.15, base_shift=0.5, width=1024, height=1024, model_="12.0"),
}  # fmt: skip
FLUX_FILL: Prompt = {
    "3": sampler("39.0", "38.0", "38.1", "38.2", 656821733471329, 20, 1.0, "euler"),
    "7": text("34.0", ""),
    **decoded("3.0", "32.0"),
    "17": {"class_type": "LoadImage", "inputs": {"image": "yosemite_inpaint_example.png", "upload": "image"}},
    "23": text("34.0", "a cat on a blue background"),
    "26": node("FluxGuidance", guidance=30.0, conditioning_="23.0"),
    "31": node("UNETLoader", unet_name="flux1-fill-dev.safetensors", weight_dtype="default"),
    "32": node("VAELoader", vae_name="ae.safetensors"),
    "34": node("DualCLIPLoader", clip_name1="clip_l.safetensors", clip_name2="t5xxl_fp16.safetensors", type="flux"),
    "38": node(
        "InpaintModelConditioning",
        noise_mask=False,
        positive_="26.0",
        negative_="7.0",
        vae_="32.0",
        pixels_="17.0",
        mask_="17.1",
    ),
    "39": node("DifferentialDiffusion", model_="31.0"),
}  # fmt: skip
LCM: Prompt = {
    "3": sampler("11.0", "6.0", "7.0", "5.0", 167055194337639, 5, 1.8, "lcm", "sgm_uniform"),
    "4": checkpoint("sd_xl_1.0.safetensors"),
    "5": empty(1024),
    "6": text("10.1", "a cat on a blue background"),
    "7": text("10.1", ""),
    **decoded("3.0", "4.2"),
    "10": node(
        "LoraLoader",
        lora_name="lcm_lora_sdxl.safetensors",
        strength_model=1.0,
        strength_clip=1.0,
        model_="4.0",
        clip_="4.1",
    ),
    "11": node("ModelSamplingDiscrete", sampling="lcm", zsnr=False, model_="10.0"),
}  # fmt: skip

ALL: dict[str, Prompt] = {
    "img2img": IMG2IMG, "inpaint": INPAINT, "outpaint": OUTPAINT, "hires_latent": HIRES_LATENT,
    "hires_esrgan": HIRES_ESRGAN, "lora": LORA, "controlnet": CONTROLNET, "two_controlnets": TWO_CONTROLNETS,
    "esrgan": ESRGAN, "gligen": GLIGEN, "sdxl": SDXL, "flux": FLUX, "flux_fill": FLUX_FILL, "lcm": LCM,
}  # fmt: skip
