"""Pictures that carry the document that made them.

It is text in a PNG, comments in a JPEG (a segment holds 64 kB, so as many as are needed) and in a GIF, and EXIF in a
WebP; always in UTF-8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .pictures import open_picture

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
KEYWORD = "nodegraph"
MARK = b"nodegraph:"
"""What the document begins with where other programs keep comments too."""
EXIF_DESCRIPTION = 0x010E
"""ImageDescription: any program that shows EXIF shows it."""
SEGMENT = 65533 - len(MARK)
"""Bytes of a document in one JPEG comment."""
LARGEST_COMPRESSED = 2**20
"""Pillow refuses PNG text that unpacks to more."""
LARGEST = 64 * 2**20
"""Bytes of the largest document that is read from a picture."""


def carry(document: str, suffix: str) -> dict[str, Any]:
    """The keyword arguments for Pillow's `save` that put `document` into a picture of the kind `suffix`.

    An empty one leaves no trace.
    """
    data = document.encode()
    match suffix:
        case ".png":
            from PIL.PngImagePlugin import PngInfo

            info = PngInfo()
            if document:
                info.add_itxt(KEYWORD, document, zip=4096 < len(data) <= LARGEST_COMPRESSED)
            return {"pnginfo": info}
        case ".jpg" | ".jpeg" | ".gif" | ".webp" if not document:
            return {}
        case ".jpg" | ".jpeg":
            return {"extra": b"".join(_comment(data[i : i + SEGMENT]) for i in range(0, len(data), SEGMENT))}
        case ".gif":
            return {"comment": MARK + data}
        case ".webp":
            from PIL import Image

            exif = Image.Exif()
            exif[EXIF_DESCRIPTION] = MARK + data
            return {"exif": exif.tobytes()}
    raise ValueError(f"a document can be put into {', '.join(sorted(PICTURES))}, not into {suffix!r}")


def _comment(data: bytes) -> bytes:
    return b"\xff\xfe" + (2 + len(MARK) + len(data)).to_bytes(2, "big") + MARK + data


def read_document(source: Path | bytes) -> str:
    """The document inside a picture, which is a file or its bytes.

    Raises:
        ValueError: There is none.
        OSError: The file cannot be read.
    """
    with open_picture(source) as picture:
        data = _carried(picture)
    if not data:
        raise ValueError("this picture carries no workflow; pictures saved by SaveImage do")
    if len(data) > LARGEST:
        raise ValueError(f"its workflow is {len(data):,} bytes long; at most {LARGEST:,} are read")
    return data.decode()


def _carried(picture: Any) -> bytes:
    """`picture` is one of Pillow's file classes, each of which keeps text in an attribute of its own."""
    match picture.format:
        case "PNG":
            if KEYWORD not in picture.info:
                picture.load()  # text that another program moved behind the pixels is only read with them
            return str(picture.info.get(KEYWORD, "")).encode()
        case "JPEG" | "MPO":
            comments = [data for kind, data in picture.applist if kind == "COM" and data.startswith(MARK)]
        case "GIF":
            comments = [picture.info.get("comment", b"")]
        case "WEBP":
            # Pillow reads EXIF text as Latin-1, which keeps every byte
            comments = [str(picture.getexif().get(EXIF_DESCRIPTION, "")).encode("latin-1", "replace")]
        case _:
            comments = []
    return b"".join(data.removeprefix(MARK) for data in comments if data.startswith(MARK))
