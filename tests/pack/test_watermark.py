from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from nodegraph import NodeError
from nodegraph_diffusion import qim
from nodegraph_diffusion.values import Image
from nodegraph_diffusion.watermark import read_watermark, watermark
from samples import ellipses, flat, natural

if TYPE_CHECKING:
    from nodegraph_diffusion.values import Floats

PICTURES = {
    "photo": Image(natural(256, 240, 0)[None]),
    "drawing": Image(ellipses(256)[None]),
    "grey": flat(256, 256, 0.4),
    "white": flat(256, 256, 1),
    "black": flat(256, 256, 0),
}


def jpeg(image: Image, quality: int) -> Image:
    file = io.BytesIO()
    Pillow.fromarray(image.to_bytes()[0]).save(file, "jpeg", quality=quality)
    return Image.from_bytes(np.asarray(Pillow.open(file)))


def there_and_back(image: Image, factor: float) -> Image:
    picture = Pillow.fromarray(image.to_bytes()[0])
    small = picture.resize((round(image.width * factor), round(image.height * factor)), Pillow.Resampling.LANCZOS)
    return Image.from_bytes(np.asarray(small.resize(picture.size, Pillow.Resampling.BICUBIC)))


def cut(image: Image) -> Image:
    return Image(image.pixels[:, :, 37:-41, 51:-30])


DAMAGE = {
    "bytes": lambda image: Image.from_bytes(image.to_bytes()),
    "jpeg 75": lambda image: jpeg(image, 75),
    "jpeg 50": lambda image: jpeg(image, 50),
    "half size": lambda image: there_and_back(image, 0.5),
    "odd size": lambda image: there_and_back(image, 0.77),
    "crop": cut,
    "crop and jpeg 75": lambda image: jpeg(cut(image), 75),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("picture", PICTURES)
def test_a_mark_survives(picture: str, damage: str) -> None:
    made = DAMAGE[damage](watermark(PICTURES[picture], "id-00042", key="secret"))  # type: ignore[no-untyped-call]
    assert read_watermark(made, key="secret")[:2] == ("id-00042", True)


@pytest.mark.parametrize("picture", PICTURES)
def test_it_is_not_seen(picture: str) -> None:
    before = PICTURES[picture].pixels
    after = watermark(PICTURES[picture], "id-00042").pixels
    assert -10 * np.log10(np.square(after - before).mean()) > 40.5
    assert abs(after - before).max() < 24 / 255
    assert after.min() >= 0
    assert after.max() <= 1


def test_a_batch_is_marked_and_read_picture_by_picture() -> None:
    marked = watermark(flat(64, 64, 0.3, 0.7), "ab")
    both = Image(np.concatenate([marked.pixels, flat(64, 64, 0.5).pixels]))
    assert read_watermark(marked)[:2] == ("ab\nab", True)
    text, found, certainty = read_watermark(both)
    assert (text, found) == ("ab\nab\n", False)
    assert certainty < qim.CERTAIN


def test_another_key_reads_nothing() -> None:
    marked = watermark(PICTURES["photo"], "owner", key="mine")
    assert read_watermark(marked, key="yours")[:2] == ("", False)
    assert read_watermark(marked, key="mine")[:2] == ("owner", True)


@settings(deadline=None, max_examples=30)
@given(
    text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=10),
    key=st.text(max_size=3),
)
def test_every_text_of_ten_bytes_comes_back(text: str, key: str) -> None:
    if len(text.encode()) > qim.BYTES:
        with pytest.raises(NodeError, match="a mark holds 1 to 10 bytes") as caught:
            watermark(flat(64, 64, 0.5), text, key)
        assert caught.value.port == "text"
    else:
        assert read_watermark(watermark(flat(64, 72, 0.5), text, key), key).text == text


def test_what_is_too_small_is_refused() -> None:
    with pytest.raises(NodeError, match="a mark needs 64 x 64 pixels, and the picture is 100 x 63") as caught:
        watermark(flat(63, 100, 0.5), "a")
    assert caught.value.port == "image"
    assert read_watermark(flat(5, 100, 0.5))[:2] == ("", False)


def test_the_margin_beyond_whole_blocks_stays() -> None:
    before = PICTURES["photo"].pixels[:, :, :203, :101]
    after = watermark(Image(before), "a").pixels
    assert (after[:, :, 200:] == before[:, :, 200:]).all()
    assert (after[:, :, :, 96:] == before[:, :, :, 96:]).all()


def unmarked(seed: int) -> Floats:
    """A flat picture, noise, a slope or something like a photograph."""
    random = np.random.default_rng(seed)
    kind = seed % 4
    height, width = (int(side) for side in random.integers(64, 160, 2))
    if kind == 3:
        return natural(height, width, seed)
    made = random.random((3, height, width) if kind == 1 else (3, 1, 1), np.float32)
    if kind == 2:
        down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 0.5, width)
        made = (made * down + random.random((3, 1, 1)) * across).clip(0, 1).astype(np.float32)
    whole: Floats = np.broadcast_to(made, (3, height, width))
    return whole


def test_unmarked_pictures_are_as_certain_as_chance() -> None:
    """The certainty of one position is normal with variance 1: so CERTAIN means what it says."""
    for kind in range(4):
        found = []
        for number in range(60):
            tile = qim.Tile(f"key {number}")  # to one key all flat pictures are alike
            luma = qim._luma(unmarked(4 * number + kind) * 255)
            height, width = (side // 8 * 8 for side in luma.shape)
            turned = np.exp(1j * qim._coefficients(luma[:height, :width]) * (2 * np.pi / qim.STEP))
            folded = np.zeros((qim.SIDE, qim.SIDE, 5), np.complex128)
            for row in range(turned.shape[0]):
                for column in range(turned.shape[1]):
                    folded[row % qim.SIDE, column % qim.SIDE] += turned[row, column]
            found.append(qim._certainty(folded, tile))
        values = np.stack(found)
        assert abs(values.mean()) < 0.25, kind
        assert 0.75 < values.std() < 1.25, kind
        assert abs(values).max() < qim.CERTAIN, kind


def test_unmarked_pictures_are_read_as_unmarked() -> None:
    assert [qim.read(unmarked(seed), "").text for seed in range(120)] == [""] * 120
