"""Flux.2 klein (Black Forest Labs 2026): of few steps, reads three layers of a Qwen3 side by side."""

from __future__ import annotations

from ..checkpoint import memory
from . import flows, flux2
from .family import Encoder, Family

LAYERS = (9, 18, 27)

FAMILY = Family(
    name="flux2_klein",
    title="Flux.2 klein",
    denoiser=flux2.TRANSFORMER,
    encoders=(
        Encoder("text_encoder", ("Qwen3ForCausalLM",), flows.chat(LAYERS, thinking=False, padded=True), layers=3),
    ),
    space="flux2",
    vae=flux2.VAE,
    predict=flux2.predict,
    table=flux2.table,
    activations=memory.transformer(21.6, 1, 512),
    width=flows.width,
    multiple=16,
    references=True,
    caches=True,
    recognise=lambda header: flux2.recognise(header, guided=False),
    read=flux2.read,
    convert=flux2.converted,
    adapts=flux2.adapts,
    adapted=flux2.adapted,
)
