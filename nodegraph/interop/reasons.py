"""Why classes that have no counterpart here have none, for the notes of a conversion."""

from __future__ import annotations

import re

REASONS: tuple[tuple[str, str], ...] = (
    (r"Lora|Hypernetwork", "this kind of change of a model is not carried yet; put ApplyLora in its place"),
    (r"IPAdapter", "it is not carried yet; put ApplyIpAdapter in its place"),
    (r"ControlNet|StyleModel|T2I|PhotoMaker|ModelPatch",
     "this kind of control by pictures or boxes has no node here yet"),
    (r"^unCLIPCheckpoint", "unCLIP models of Stable Diffusion 2 are not opened here"),
    (r"CLIPVision|unCLIP|ImageOnlyCheckpoint", "prompts that are pictures are not carried yet"),
    (r"^(.*CLIPLoader|CheckpointLoader|DiffusersLoader|Unet.*GGUF)$",
     "models are not opened in this way here; LoadModel opens them whole"),
    (r"Video|Wan|LTXV|Cosmos|Mochi|SVD|SV3D|Webcam|WEBM", "films are not made here, only pictures"),
    (r"Audio|AceStep", "sound is not made here, only pictures"),
    (r"3D|Mesh|Voxel|GLB|Tripo|Rodin|Zero123|Meshy", "solid shapes are not made here, only pictures"),
    (r"^(OpenAI|Luma|Pixverse|Recraft|Runway|Stability|Kling|Gemini|Veo|Minimax|Ideogram|Moonvalley|Vidu|FluxPro|FluxKontext(Pro|Max)"
     r"|ByteDance|Pika|Sora)", "it asks a service on the network, which this program does not"),
    (r"^(Conditioning|FluxGuidance|FluxDisable|ReferenceLatent|InstructPix|CLIPTextEncode.+|TextEncode)",
     "this way of changing or combining prompts is not carried yet"),
    (r"ModelSampling|Scheduler|Sigmas|Guider|Guidance|^Sampler|RescaleCFG|CFG|FreeU|Differential|^APG|PerpNeg|Noise$",
     "this change to how is sampled is not carried yet"),
    (r"Latent", "this work on latents has no node here yet"),
    (r"Mask", "this work on masks has no node here yet"),
    (r"Image", "this work on pictures has no node here yet"),
    (r"Merge|Save$|CheckpointSave|CLIPSave", "models are not merged or saved here"),
    (r"^(String|Regex|Case)", "this work on texts has no node here yet"),
)  # fmt: skip
"""Patterns of class names, each with a reason; the first that is found counts."""
UNKNOWN = "it is no class of ComfyUI's own, and no pack here has it"
OWN = "it has no counterpart here yet"


def reason(class_type: str, known: bool) -> str:
    """Why nodes of this class stay placeholders. `known` says whether it is one of ComfyUI's own."""
    found = next((why for pattern, why in REASONS if re.search(pattern, class_type)), None)
    return found or (OWN if known else UNKNOWN)
