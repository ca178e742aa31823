"""What other programs write into their pictures."""

from __future__ import annotations

from typing import Any

from ..pictures import open_picture

PROMPT, WORKFLOW, PARAMETERS = "prompt", "workflow", "parameters"
"""ComfyUI's API and UI formats, and A1111's lines, as PNG text names them."""
MODEL, MAKE, EXIF, USER_COMMENT = 0x0110, 0x010F, 0x8769, 0x9286
"""The tags of EXIF that they use in other pictures."""
UNICODE, ASCII = b"UNICODE\0", b"ASCII\0\0\0"


def foreign_texts(picture: bytes) -> dict[str, str]:
    """Those of the texts `PROMPT`, `WORKFLOW` and `PARAMETERS` that a picture holds. Raises `ValueError`, `OSError`."""
    with open_picture(picture) as opened:
        if opened.format == "PNG":
            if not {PROMPT, WORKFLOW, PARAMETERS} & opened.info.keys():
                opened.load()  # text behind the pixels is only read with them
            named = ((name, opened.info.get(name)) for name in (PROMPT, WORKFLOW, PARAMETERS))
            return {name: text for name, text in named if isinstance(text, str)}
        return _exif(opened.getexif())


def _exif(exif: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in (MODEL, MAKE):
        # Pillow reads EXIF text as Latin-1, which keeps every byte
        text = str(exif.get(tag, "")).encode("latin-1", "replace").decode("utf-8", "replace")
        name, colon, rest = text.partition(":")
        if colon and name.lower() in (PROMPT, WORKFLOW):
            found[name.lower()] = rest
    comment = exif.get_ifd(EXIF).get(USER_COMMENT)
    if isinstance(comment, bytes) and comment.startswith(UNICODE):
        data = comment.removeprefix(UNICODE)
        order = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        found[PARAMETERS] = data.decode(order, "replace")
    elif isinstance(comment, bytes) and comment.startswith(ASCII):
        found[PARAMETERS] = comment.removeprefix(ASCII).decode("utf-8", "replace")
    return found
