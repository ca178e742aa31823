from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nodegraph import MAX_PIXELS, open_picture
from nodegraph.pictures import FORMATS
from samples import noise, png_header


def encoded(format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(17, 23).to_bytes()[0]).save(file, format)
    return file.getvalue()


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r".") as caught, open_picture(path) as picture:
        picture.load()
    return str(caught.value)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_opens_whatever_the_file_is_called(tmp_path: Path, format: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(format))
    with open_picture(path) as picture:
        assert (picture.format, picture.size) == (format, (23, 17))
        picture.load()


def test_the_rarer_formats_open_in_a_fresh_process(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded("AVIF"))
    code = (
        "import pathlib, sys, nodegraph\n"
        "with nodegraph.open_picture(pathlib.Path(sys.argv[1])) as picture: print(picture.format)"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "AVIF"


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "PPM"])
def test_a_picture_that_is_cut_short_is_refused_where_it_is_decoded(tmp_path: Path, format: str) -> None:
    data = encoded(format)
    assert "cut short or damaged" in refusal(tmp_path / "half.png", data[: len(data) // 2])


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    message = refusal(tmp_path / "bomb.png", png_header(100_000, 100_000))
    assert message == (f"it is 100,000 x 100,000 pixels; at most {MAX_PIXELS:,} pixels are read, so make it smaller")


def test_a_large_picture_opens_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_header(11_000, 11_000))  # Pillow's own `open` warns from 89 million pixels
    limit = Image.MAX_IMAGE_PIXELS
    with open_picture(path) as picture:
        assert picture.size == (11_000, 11_000)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"{}" * 50, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "cut short or damaged"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(tmp_path / "x.png", data)


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_picture(tmp_path / "none.png"):
        pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(format=st.sampled_from(FORMATS), data=st.data())
def test_damage_ends_in_a_valueerror_or_a_picture(tmp_path: Path, format: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(format))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        with open_picture(path) as picture:
            picture.load()
    except ValueError as error:
        assert str(error)
