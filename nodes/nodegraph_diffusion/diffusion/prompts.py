"""Prompts: weights written in the text, any length, and their encoding by CLIP, T5 and language models.

The grammar is the one people know: `(word)` weighs 1.1 times, `[word]` 1 / 1.1 times, `(word:1.3)` 1.3 times; nesting
multiplies; `\\(`, `\\)`, `\\[`, `\\]` are plain brackets; `BREAK` between words begins a new chunk. Brackets without
a partner are text. A chunk is what the text encoder reads at once: 75 tokens for CLIP, between its start and end marks.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..families.family import Encoded

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

    tokenizer: CLIPTokenizer | PreTrainedTokenizerBase
    model: CLIPTextModel | PreTrainedModel
    words: Mapping[str, Tensor] = field(default_factory=dict)
    """Words that it was taught, with the vectors (n, D) that stand for each: CLIP reads them."""
    filled: tuple[int, int] | None = None
    """How many tokens of padding T5 reads at least behind a prompt, and how many tokens in all; no prompt is cut off
    then. None leaves both to the family."""

    @property
    def capacity(self) -> int:
        """How many tokens of a prompt fit into one chunk."""
        return int(self.model.config.max_position_embeddings) - 2

    @property
    def layers(self) -> int:
        return int(self.model.config.num_hidden_layers)


class Phase(NamedTuple):
    """What a prompt says on a part of the steps."""

    text: str
    start: float
    end: float


PHASED = re.compile(r"\[(?:([^\[\]:]*):)?([^\[\]:]*):(0?\.[0-9]+|0|1(?:\.0+)?)\]")


def phases(text: str) -> list[Phase]:
    """What a prompt with `[before:after:0.4]` says, part by part; a prompt without says one thing all the time."""
    times = sorted({float(found[3]) for found in PHASED.finditer(text)} - {0.0, 1.0})
    ends = [*times, 1.0]

    def said(end: float) -> str:
        return PHASED.sub(lambda found: (found[1] or "") if end <= float(found[3]) else found[2], text)

    made: list[Phase] = []
    for start, end in zip([0.0, *times], ends, strict=True):
        if made and made[-1].text == said(end):
            made[-1] = made[-1]._replace(end=end)
        else:
            made.append(Phase(said(end), start, end))
    return made


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
            tokens = _tokens(encoder, readable)
            whole = len(tokens) < KEEP_WHOLE and len(tokens) <= encoder.capacity
            while len(chunk) + len(tokens) > encoder.capacity:
                room = 0 if whole else encoder.capacity - len(chunk)
                out.append(_closed(encoder, chunk + [(token, piece.weight) for token in tokens[:room]]))
                tokens, chunk = tokens[room:], []
            chunk += [(token, piece.weight) for token in tokens]
        out.append(_closed(encoder, chunk))
    return out


def _tokens(encoder: PromptEncoder, text: str) -> list[int]:
    """The tokens of a text. The vectors of words that were taught have numbers below 0."""
    numbers: dict[str, list[int]] = {}
    used = 0
    for word, vectors in encoder.words.items():
        count = len(vectors) if vectors.ndim == 2 else 1
        numbers[word] = [-1 - i for i in range(used, used + count)]
        used += count
    found: list[int] = []
    longest_first = sorted(map(re.escape, numbers), key=len, reverse=True)
    for part in re.split(f"({'|'.join(longest_first)})", text) if numbers else [text]:
        if part in numbers:
            found += numbers[part]
        elif part:  # quiet, since it warns of texts longer than one chunk
            found += encoder.tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
    return found


@contextmanager
def _taught(encoder: PromptEncoder, ids: Tensor) -> Iterator[Tensor]:
    """The tokens as the model knows them; while the block lasts, vectors stand in the places of those below 0."""
    if not (ids < 0).any():
        yield ids
        return
    layer = encoder.model.get_input_embeddings()
    table = torch.cat([vectors.reshape(-1, vectors.shape[-1]) for vectors in encoder.words.values()])
    me = threading.get_ident()

    def stand_in(module: Any, args: Any, output: Tensor) -> Tensor | None:
        if threading.get_ident() != me:
            return None
        own = table.to(output)[(-1 - ids).clamp(min=0)]
        return torch.where((ids < 0)[..., None], own, output)

    handle = layer.register_forward_hook(stand_in)
    try:
        yield ids.clamp(min=0)
    finally:
        handle.remove()


def _closed(encoder: PromptEncoder, chunk: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    marks = encoder.tokenizer
    padding = [(int(marks.pad_token_id), 1.0)] * (encoder.capacity - len(chunk))
    return [(int(marks.bos_token_id), 1.0), *chunk, (int(marks.eos_token_id), 1.0), *padding]


def encode(encoder: PromptEncoder, text: str, layer: int = 1) -> Tensor:
    """The encoding of a prompt as Stable Diffusion 1 and 2 read it: float32 (1, T, D) on the CPU; see `clip`."""
    found = clip(encoder, text, layer).tokens
    assert found is not None
    return found


@torch.no_grad()
def clip(encoder: PromptEncoder, text: str, layer: int = 1, *, normed: bool = True, pooled: bool = False) -> Encoded:
    """The encoding of a prompt by CLIP; T is the text encoder's positions times the chunks.

    A weight w moves a token's encoding z along the line from its place in the empty prompt's: `z_empty + w (z -
    z_empty)`. This is what ComfyUI does, so that its documents give the same picture.

    Args:
        layer: Whose output is taken, counted from the end: 1 is the last, 2 what is called "clip skip 2".
        normed: Whether an earlier layer's output passes the last norm, behind which SD 1 and 2 were trained.
        pooled: Whether to give the first chunk's pooled encoding too, projected where the model has a projection.
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
    ids = torch.tensor(tokens).to(encoder.model.device)
    with _taught(encoder, ids) as known:
        out = encoder.model(known, output_hidden_states=layer > 1 or not normed)
    states = _hidden(encoder, out, layer, normed).float().cpu()
    if weighted:
        states = _weighted(states[:-1], states[-1:], weights)
    whole = None
    if pooled:
        found = out.text_embeds if hasattr(out, "text_embeds") else out.pooler_output
        whole = found[:1].float().cpu()
    return Encoded(states.reshape(1, -1, states.shape[-1]), whole)


def _hidden(encoder: PromptEncoder, out: Any, layer: int, normed: bool) -> Tensor:
    if layer == 1 and normed:
        return out.last_hidden_state  # type: ignore[no-any-return]
    found: Tensor = out.hidden_states[-layer]
    return encoder.model.final_layer_norm(found) if normed else found


def _weighted(states: Tensor, empty: Tensor, weights: Tensor) -> Tensor:
    return torch.where((weights != 1)[..., None], empty + (states - empty) * weights[..., None], states)


@torch.no_grad()
def t5(encoder: PromptEncoder, text: str, length: int, *, masked: bool = False, whole: bool = False) -> Encoded:
    """The encoding of a prompt by a T5 encoder, padded or cut off to `length` tokens, unless the encoder says
    otherwise. Weights count as in CLIP.

    Args:
        masked: Whether the prompt does not see its padding, of which then one token is given and not all.
        whole: Whether all of it is given then too.
    """
    marks = encoder.tokenizer
    pieces = [piece for section in parse(text) for piece in section]
    ids: list[int] = []
    weights: list[float] = []
    for piece in pieces:
        readable = piece.text.encode("utf-8", "replace").decode()
        found = marks(readable, add_special_tokens=False, verbose=False)["input_ids"]
        ids += found
        weights += [piece.weight] * len(found)
    if encoder.filled is not None:
        padding, least = encoder.filled
        length = max(len(ids) + 1 + padding, least)
    ids, weights = ids[: length - 1], weights[: length - 1]
    length = min(length, len(ids) + 2) if masked and not whole else length
    rows = [ids]
    factors = torch.tensor([weights + [1.0] * (length - len(weights))])
    if weighted := bool((factors != 1).any()):
        rows.append([])
    tokens = torch.tensor([_t5_closed(marks, row, length) for row in rows])
    seen = torch.tensor([[at <= len(row) for at in range(length)] for row in rows]) if masked else None
    where = encoder.model.device
    states = encoder.model(tokens.to(where), attention_mask=None if seen is None else seen.to(where))[0].float().cpu()
    return Encoded(_weighted(states[:1], states[1:], factors) if weighted else states)


def _t5_closed(marks: Any, ids: Sequence[int], length: int) -> list[int]:
    return [*ids, int(marks.eos_token_id), *[int(marks.pad_token_id)] * (length - 1 - len(ids))]


@torch.no_grad()
def bert(encoder: PromptEncoder, text: str, length: int) -> Encoded:
    """The encoding of a prompt by a BERT, padded or cut off to `length` tokens, without weights."""
    readable = text.encode("utf-8", "replace").decode()
    ids = encoder.tokenizer(
        readable, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return Encoded(encoder.model(ids.to(encoder.model.device))[0].float().cpu())


@torch.no_grad()
def language_model(
    encoder: PromptEncoder,
    text: str,
    *,
    layers: Sequence[int],
    drop: int = 0,
    length: int = 512,
    padded: bool = False,
    pictures: Sequence[Any] = (),
) -> Encoded:
    """What a causal language model makes of a whole conversation, given as the text that its template makes of it.

    Args:
        layers: Whose outputs are taken, side by side, as `hidden_states` counts them.
        drop: How many tokens at the beginning are the template's, and are left out.
        length: At most so many tokens.
        padded: Whether to fill up to `length`; else only what was said is given.
        pictures: (H, W, 3), bytes: what a Qwen2.5-VL sees where the text has "<|image_pad|>", one for each.
    """
    seen: dict[str, Any] = {}
    if pictures:
        text, seen = _seeing(encoder, text, pictures)
        length += text.count(PAD) - len(pictures)
    start = encoder.tokenizer.bos_token
    given = encoder.tokenizer(
        text.encode("utf-8", "replace").decode(),
        padding="max_length" if padded else False,
        max_length=length,
        truncation=True,
        return_tensors="pt",
        add_special_tokens=start is None or not text.startswith(start),
    ).to(encoder.model.device)
    if seen:  # tells its positions in a picture from those in the text
        seen["mm_token_type_ids"] = (given.input_ids == encoder.model.config.image_token_id).int()
    if hasattr(encoder.model, "lm_head"):  # what it would say next is not asked
        seen["logits_to_keep"] = 1
    out = encoder.model(
        input_ids=given.input_ids, attention_mask=given.attention_mask, output_hidden_states=True, use_cache=False,
        **seen,
    )  # fmt: skip
    states = torch.cat([out.hidden_states[layer] for layer in layers], dim=-1)
    return Encoded(states[:, drop:].float().cpu())


PAD = "<|image_pad|>"


def _seeing(encoder: PromptEncoder, text: str, pictures: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """A text with room for the tokens of each picture, and the pictures as a Qwen2.5-VL takes them."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    vision = encoder.model.config.vision_config
    processor = Qwen2VLImageProcessorPil(
        patch_size=vision.patch_size, temporal_patch_size=vision.temporal_patch_size,
        merge_size=vision.spatial_merge_size, size={"shortest_edge": 3136, "longest_edge": 12_845_056},
    )  # fmt: skip
    made = processor(images=list(pictures), return_tensors="pt").to(encoder.model.device)
    before, *rest = text.split(PAD)
    for grid, after in zip(made["image_grid_thw"], rest, strict=True):
        before += PAD * (int(grid.prod()) // vision.spatial_merge_size**2) + after
    pixels = made["pixel_values"].to(encoder.model.dtype)
    return before, {"pixel_values": pixels, "image_grid_thw": made["image_grid_thw"]}


def side_by_side(*parts: Encoded | None) -> Encoded:
    """Encodings of one prompt by several encoders: token by token beside each other, and so the pooled ones."""
    tokens = [part.tokens for part in parts if part is not None and part.tokens is not None]
    pooled = [part.pooled for part in parts if part is not None and part.pooled is not None]
    longest = max(each.shape[1] for each in tokens)
    # Encoders whose tokenizers differ may need another number of chunks for one text.
    tokens = [each.repeat(1, -(-longest // each.shape[1]), 1)[:, :longest] for each in tokens]
    return Encoded(torch.cat(tokens, dim=-1), torch.cat(pooled, dim=-1) if pooled else None)
