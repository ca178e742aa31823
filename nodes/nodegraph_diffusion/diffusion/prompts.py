"""Prompts: weights written in the text, any length, and their encoding by CLIP.

The grammar is the one people know: `(word)` weighs 1.1 times, `[word]` 1 / 1.1 times, `(word:1.3)` 1.3 times; nesting
multiplies; `\\(`, `\\)`, `\\[`, `\\]` are plain brackets; `BREAK` between words begins a new chunk. Brackets without
a partner are text. A chunk is what the text encoder reads at once: 75 tokens for CLIP, between its start and end marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

ROUND, SQUARE = 1.1, 1 / 1.1
HEAVIEST = 100.0
"""Weights end here, so that no nesting reaches infinity."""
KEEP_WHOLE = 8
"""A piece of fewer tokens is not divided between chunks (ComfyUI's number: chunks, and so pictures, are the same)."""

PARTNER = {")": "(", "]": "["}
NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*")
BREAK = re.compile(r"(?<!\S)BREAK(?!\S)")


class Piece(NamedTuple):
    """A stretch of a prompt that has one weight."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class PromptEncoder:
    """A text encoder with the tokenizer it was trained with."""

    tokenizer: CLIPTokenizer
    model: CLIPTextModel

    @property
    def capacity(self) -> int:
        """How many tokens of a prompt fit into one chunk."""
        return int(self.model.config.max_position_embeddings) - 2

    @property
    def layers(self) -> int:
        return int(self.model.config.num_hidden_layers)


def parse(text: str) -> list[list[Piece]]:
    """The pieces of a prompt, in one list per section between `BREAK`s. Takes any text."""
    factors, ends = _groups(text)
    sections: list[list[Piece]] = [[]]
    weights = [1.0]
    plain: list[str] = []

    def end_piece() -> None:
        for new, part in enumerate(BREAK.split("".join(plain))):
            if new:
                sections.append([])
            if part:
                sections[-1].append(Piece(part, weights[-1]))
        plain.clear()

    at = 0
    while at < len(text):
        if at in factors:
            end_piece()
            weights.append(max(-HEAVIEST, min(HEAVIEST, weights[-1] * factors[at])))
            at += 1
        elif at in ends:
            end_piece()
            weights.pop()
            at = ends[at]
        else:
            escaped = text[at] == "\\" and text[at + 1 : at + 2] in ("(", ")", "[", "]")
            plain.append(text[at + escaped])
            at += 1 + escaped
    end_piece()
    return sections


def _groups(text: str) -> tuple[dict[int, float], dict[int, int]]:
    """What each opening bracket with a partner multiplies by; where the text of such a group ends, and what follows."""
    stack: list[tuple[str, int]] = []
    factors: dict[int, float] = {}
    ends: dict[int, int] = {}
    for found in re.finditer(r"\\[()\[\]]|[()\[\]]", text):
        letter, close = found[0], found.start()
        if letter in "([":
            stack.append((letter, close))
            continue
        depth = next((i for i in reversed(range(len(stack))) if stack[i][0] == PARTNER.get(letter)), None)
        if depth is None:
            continue
        start = stack[depth][1]
        del stack[depth:]
        factors[start], ends[close] = (ROUND if letter == ")" else SQUARE), close + 1
        colon = text.rfind(":", start + 2, close)
        if letter == ")" and colon > 0 and (number := NUMBER.fullmatch(text, colon + 1, close)):
            del ends[close]
            factors[start], ends[colon] = float(number[1]), close + 1
    return factors, ends


def chunks(encoder: PromptEncoder, text: str) -> list[list[tuple[int, float]]]:
    """The tokens of a prompt and their weights, as the text encoder reads them: start, text, end, padding."""
    out: list[list[tuple[int, float]]] = []
    sections = [s for s in parse(text) if any(piece.text.strip() for piece in s)]
    for section in sections or [[]]:
        chunk: list[tuple[int, float]] = []
        for piece in section:
            readable = piece.text.encode("utf-8", "replace").decode()  # JSON can hold halves of surrogate pairs
            # Quiet, since it warns of texts longer than one chunk.
            tokens = encoder.tokenizer(readable, add_special_tokens=False, verbose=False)["input_ids"]
            whole = len(tokens) < KEEP_WHOLE and len(tokens) <= encoder.capacity
            while len(chunk) + len(tokens) > encoder.capacity:
                room = 0 if whole else encoder.capacity - len(chunk)
                out.append(_closed(encoder, chunk + [(token, piece.weight) for token in tokens[:room]]))
                tokens, chunk = tokens[room:], []
            chunk += [(token, piece.weight) for token in tokens]
        out.append(_closed(encoder, chunk))
    return out


def _closed(encoder: PromptEncoder, chunk: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    marks = encoder.tokenizer
    padding = [(int(marks.pad_token_id), 1.0)] * (encoder.capacity - len(chunk))
    return [(int(marks.bos_token_id), 1.0), *chunk, (int(marks.eos_token_id), 1.0), *padding]


@torch.no_grad()
def encode(encoder: PromptEncoder, text: str, layer: int = 1) -> Tensor:
    """The encoding of a prompt: float32 (1, T, D) on the CPU; T is the text encoder's positions times the chunks.

    A weight w moves a token's encoding z along the line from its place in the empty prompt's: `z_empty + w (z -
    z_empty)`. This is what ComfyUI does, so that its documents give the same picture.

    Args:
        layer: Whose output is taken, counted from the end: 1 is the last, 2 what is called "clip skip 2".
    Raises:
        ValueError: The text encoder has no such layer.
    """
    if not 1 <= layer <= encoder.layers:
        raise ValueError(f"the text encoder has layers 1 (the last) to {encoder.layers}, got {layer}")
    parts = chunks(encoder, text)
    weights = torch.tensor([[weight for _, weight in chunk] for chunk in parts])
    tokens = [[token for token, _ in chunk] for chunk in parts]
    if weighted := bool((weights != 1).any()):
        tokens.append([token for token, _ in _closed(encoder, [])])
    states = _hidden(encoder, torch.tensor(tokens), layer)
    if weighted:
        states, empty = states[:-1], states[-1:]
        states = torch.where((weights != 1)[..., None], empty + (states - empty) * weights[..., None], states)
    return states.reshape(1, -1, states.shape[-1])


def _hidden(encoder: PromptEncoder, tokens: Tensor, layer: int) -> Tensor:
    out = encoder.model(tokens.to(encoder.model.device), output_hidden_states=layer > 1)
    # Earlier layers have not passed the norm that the denoiser was trained behind.
    found: Tensor = out.last_hidden_state if layer == 1 else encoder.model.final_layer_norm(out.hidden_states[-layer])
    return found.float().cpu()
