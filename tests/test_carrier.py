from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from nodegraph import PICTURES, carrier
from nodegraph.carrier import carry, read_document
from samples import noise, png_chunk, png_header

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}
ANIMATED = [".png", ".gif", ".webp"]


def save(folder: Path, suffix: str, document: str, frames: int = 1) -> Path:
    path = folder / f"picture{suffix}"
    first, *rest = [Image.fromarray(pixels) for pixels in noise(16, 24, frames).to_bytes()]
    more: dict[str, Any] = {"save_all": True, "append_images": rest, "duration": 50} if rest else {}
    first.save(path, FORMATS[suffix], **more, **carry(document, suffix))
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(json.dumps))
@example(document=json.dumps({"text": 'ein Füchslein 🦊 漢字 ‮ \x00 \\ "'}, ensure_ascii=False))
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_document_comes_back_as_it_was(tmp_path: Path, suffix: str, document: str) -> None:
    assert read_document(save(tmp_path, suffix, document)) == document


@pytest.mark.parametrize("size", [4096, carrier.SEGMENT, carrier.SEGMENT + 1, 2**18, 3 * 2**20])
@pytest.mark.parametrize("suffix", FORMATS)
def test_long_documents_come_back(tmp_path: Path, suffix: str, size: int) -> None:
    unit = "a漢🦊"  # 8 bytes, so that segments end within characters
    document = (unit * (size // 8 + 1)).encode()[:size].decode(errors="ignore")
    assert read_document(save(tmp_path, suffix, document)) == document


@pytest.mark.parametrize("suffix", ANIMATED)
def test_animations_carry_a_document(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, suffix, '{"é": 1}', frames=3)
    assert read_document(path) == '{"é": 1}'
    with Image.open(path) as picture:
        assert getattr(picture, "n_frames", 1) == 3


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_without_a_document_says_so(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ValueError, match="carries no workflow"):
        read_document(save(tmp_path, suffix, ""))


@pytest.mark.parametrize(("suffix", "options"), [(".jpg", {"comment": b"holiday"}), (".gif", {"comment": b"holiday"})])
def test_comments_of_others_are_no_document(tmp_path: Path, suffix: str, options: dict[str, Any]) -> None:
    path = tmp_path / f"x{suffix}"
    Image.new("RGB", (8, 8)).save(path, **options)
    with pytest.raises(ValueError, match="carries no workflow"):
        read_document(path)


def test_a_jpeg_keeps_the_comment_of_another_program_beside_the_document(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.new("RGB", (8, 8)).save(path, comment=b"holiday", **carry("{}", ".jpg"))
    assert read_document(path) == "{}"
    with Image.open(path) as picture:
        assert b"holiday" in [data for kind, data in picture.applist if kind == "COM"]  # type: ignore[attr-defined]


def test_png_text_behind_the_pixels_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, ".png", "")
    end = png_chunk(b"IEND", b"")
    path.write_bytes(path.read_bytes().removesuffix(end) + png_chunk(b"tEXt", b"nodegraph\0{}") + end)
    assert read_document(path) == "{}"


def test_a_document_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, ".jpg", "x" * 1001)
    monkeypatch.setattr(carrier, "LARGEST", 1000)
    with pytest.raises(ValueError, match="1,001 bytes long; at most 1,000"):
        read_document(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"{}", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (png_header(100_000, 100_000), "make it smaller"),
    ],
)
def test_what_is_no_picture_is_a_valueerror(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        read_document(path)


def test_a_picture_of_another_kind_cannot_carry_one() -> None:
    with pytest.raises(ValueError, match=r"not into '\.bmp'"):
        carry("{}", ".bmp")
    assert {".png", ".jpg", ".jpeg", ".webp", ".gif"} == PICTURES
