"""Flux.2 dev (Black Forest Labs 2025): distilled from guidance, reads three layers of a Mistral 3 side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checkpoint import memory
from . import flows, flux2
from .family import Encoded, Encoder, Family

if TYPE_CHECKING:
    from ..diffusion.prompts import PromptEncoder

LAYERS = (10, 20, 30)
SYSTEM = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing on object "
    "relationships, object\nattribution and actions without speculation."
)


def _encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
    from ..diffusion.prompts import language_model

    said = [
        {"role": role, "content": [{"type": "text", "text": words}]}
        for role, words in (("system", SYSTEM), ("user", text.replace("[IMG]", "")))
    ]
    whole = str(encoder.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=False))
    return language_model(encoder, whole, layers=LAYERS, length=512, padded=True)


FAMILY = Family(
    name="flux2_dev",
    title="Flux.2 dev",
    denoiser=flux2.TRANSFORMER,
    encoders=(Encoder("text_encoder", ("Mistral3ForConditionalGeneration",), _encode, layers=3),),
    space="flux2",
    vae=flux2.VAE,
    predict=flux2.predict,
    table=flux2.table,
    activations=memory.transformer(21.6, 1, 512),
    width=flows.width,
    multiple=16,
    references=True,
    caches=True,
    recognise=lambda header: flux2.recognise(header, guided=True),
    read=flux2.read,
    convert=flux2.converted,
    adapts=flux2.adapts,
    adapted=flux2.adapted,
)
