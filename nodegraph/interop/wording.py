r"""Prompts: ComfyUI's way of writing weights, and the way they are written here.

Both know `(words)`, `(words:1.3)`, `\(` and `\)`. There, a number inside of other brackets stands alone (here it
multiplies), square brackets and BREAK are plain text, and a bracket without a partner ends the meaning of those behind
it. A text that means the same in both is left as it is but for square brackets; any other is written anew.
"""

from __future__ import annotations

import math
import re

ROUND = 1.1
SPECIAL = re.compile(r"[()\[\]]")
BREAK = re.compile(r"(?<!\S)BREAK(?!\S)")
OPEN, CLOSE = "\0", "\1"
"""What stands for escaped brackets while a text is taken apart."""


def from_comfyui(text: str) -> str:
    """The text that means here what `text` means there."""
    plain = BREAK.sub("break", text)  # the tokenizers of CLIP read both as the same word
    if not _rewritten(plain):
        return _square(plain)
    return "".join(_written(piece, weight) for piece, weight in pieces(plain))


def to_comfyui(text: str) -> str:
    """The text that means there what `text` means here, where both know how to say it."""
    return re.sub(r"\\([\[\]])", r"\1", text)


def only_here(text: str) -> str | None:
    """What in a text has a meaning here alone."""
    if BREAK.search(text):
        return "BREAK"
    if re.search(r"(?<!\\)\[[^\[\]]*\]", text):
        return "[less]"
    return None


def pieces(text: str) -> list[tuple[str, float]]:
    """The stretches of a prompt and their weights, as ComfyUI reads them."""
    hidden = text.replace("\\(", OPEN).replace("\\)", CLOSE)
    return [(t.replace(OPEN, "(").replace(CLOSE, ")"), w) for t, w in _weighed(hidden, 1.0, 0)]


def _weighed(text: str, weight: float, depth: int) -> list[tuple[str, float]]:
    made: list[tuple[str, float]] = []
    for part in _groups(text):
        if len(part) < 2 or part[0] != "(" or part[-1] != ")" or depth > 100:
            made.append((part, weight))
            continue
        inside, own = part[1:-1], weight * ROUND
        colon = inside.rfind(":")
        if colon > 0 and (number := _number(inside[colon + 1 :])) is not None:
            inside, own = inside[:colon], number
        made += _weighed(inside, own, depth + 1)
    return made


def _groups(text: str) -> list[str]:
    """The outermost groups in brackets and what lies between them."""
    made: list[str] = []
    depth, start = 0, 0
    for at, letter in enumerate(text):
        if letter == "(":
            if depth == 0:
                made.append(text[start:at])
                start = at
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                made.append(text[start : at + 1])
                start = at + 1
    made.append(text[start:])
    return [part for part in made if part]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _rewritten(text: str) -> bool:
    """Whether a text means something else here: a number within other brackets, or a bracket without a partner."""
    hidden = text.replace("\\(", OPEN).replace("\\)", CLOSE)
    depth = 0
    for found in re.finditer(r"[()]|:\s*[^:()]*\)", hidden):
        sign = found[0]
        if sign == "(":
            depth += 1
            continue
        if sign != ")":
            given = _number(sign[1:-1])
            if given is not None and (depth > 1 or not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*", sign[1:-1])):
                return True
        depth -= 1
        if depth < 0:
            return True
    return depth != 0


def _square(text: str) -> str:
    return re.sub(r"([\[\]])", r"\\\1", text)


def _written(piece: str, weight: float) -> str:
    plain = SPECIAL.sub(lambda found: "\\" + found[0], piece)
    return plain if weight == 1 else f"({plain}:{f'{weight:.9f}'.rstrip('0').rstrip('.')})"
