"""Flux.2 dev (Black Forest Labs 2025): distilled from guidance, reads three layers of a Mistral 3 side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import flux2
from .family import Encoded, Encoder

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


READER = Encoder("text_encoder", ("Mistral3ForConditionalGeneration",), _encode, layers=3)
FAMILY = flux2.family("flux2_dev", "Flux.2 dev", READER, guided=True)
