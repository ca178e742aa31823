"""Flux.2 klein (Black Forest Labs 2026): of few steps, reads three layers of a Qwen3 side by side."""

from __future__ import annotations

from . import flows, flux2
from .family import Encoder

LAYERS = (9, 18, 27)
READER = Encoder("text_encoder", ("Qwen3ForCausalLM",), flows.chat(LAYERS, thinking=False, padded=True), layers=3)
FAMILY = flux2.family("flux2_klein", "Flux.2 klein", READER, guided=False)
