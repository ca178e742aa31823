"""A new word for a text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from nodegraph import Choices, Facts, Folders, Known, NodeError, choices, node
from nodegraph.context import Context

from .adapter_files import AdapterFiles
from .adapters import Taught
from .checkpoint.words import Word, open_word
from .handles import TextEncoder

WORDS: AdapterFiles[Word] = AdapterFiles(open_word, lambda word: f"of width {' and '.join(map(str, word.widths))}")
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^()\[\]:\\\s]+$")]


@node(version=1, lane="io", category="model")
def teach_word(
    ctx: Context, text_encoder: TextEncoder, source: Annotated[str, Choices("words")], word: Name = "<new>"
) -> TextEncoder:
    """Teach a text encoder a word by a textual inversion, without touching its weights.

    Args:
        source: A `.safetensors` file in the folders of models, or an absolute path.
        word: What stands for it in prompts, wherever it occurs in them: best a word that means nothing else.
    """
    found = WORDS.open(source, ctx.folders)
    if reason := _unfit(found, _widths(text_encoder)):
        raise NodeError(reason, "source")
    return replace(text_encoder, words=(*text_encoder.words, Taught(word, found)))


def _widths(text_encoder: TextEncoder) -> str:
    return text_widths([component.config for component in text_encoder.checkpoint.text_encoders])


def text_widths(configs: list[Mapping[str, object]]) -> str:
    """How wide the tokens are that each text encoder reads, as a fact: "768" or "768 1280"."""
    return " ".join(str(config.get("hidden_size") or config.get("d_model") or "?") for config in configs)


def _unfit(word: Word, widths: str) -> str:
    own = " ".join(map(str, word.widths))
    if own == widths:
        return ""
    return (
        f"{word.name} has vectors of width {own}, but the text encoders read {widths}; use one that was made for them"
    )


@teach_word.fingerprint
def _revision(source: str, folders: Folders) -> str:
    return WORDS.revision(source, folders)


@teach_word.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    source, widths = known.value("source"), known["text_encoder"].get("token widths")
    if source is not None and widths is not None and (reason := _unfit(WORDS.open(source, known.folders), str(widths))):
        known.refuse("source", reason)
        known.refuse("text_encoder", f"{reason} (in source)")
    return {"text_encoder": known["text_encoder"]}


@choices("words")
def words(folders: Folders) -> Mapping[str, str]:
    """The textual inversions in the folders of models, each with how wide its vectors are."""
    return WORDS.listed(folders)
