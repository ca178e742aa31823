from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms

from nodegraph import NodeError
from nodegraph_diffusion import picture_files
from nodegraph_diffusion.load_image import LoadedImage, load_image
from nodegraph_diffusion.values import Image
from samples import noise, png_header

Array = NDArray[Any]
EXIF_ORIENTATION = 0x0112


def saved(folder: Path, picture: Pillow.Image, name: str = "x.png", **options: Any) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


def bytes_of(found: LoadedImage) -> Array:
    """(H, W, 3) of the only picture; the values must be whole 255ths."""
    made = found.image.pixels[0].transpose(1, 2, 0) * 255
    np.testing.assert_allclose(made, made.round(), atol=1e-4)
    found_bytes: Array = made.round().astype(np.uint8)
    return found_bytes


def refusal(file: Path, frames: Literal["first", "all"] = "first") -> tuple[str, str | None]:
    with pytest.raises(NodeError) as caught:
        load_image(file, frames)
    return str(caught.value), caught.value.port


def test_colours_come_exactly_and_nothing_is_masked(tmp_path: Path) -> None:
    pixels = noise(5, 7).to_bytes()[0]
    found = load_image(saved(tmp_path, Pillow.fromarray(pixels)))
    assert (bytes_of(found) == pixels).all()
    assert found.mask.values.shape == (1, 5, 7)
    assert not found.mask.values.any()


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_pictures_are_turned_as_exif_says(tmp_path: Path, orientation: int, upright: Any) -> None:
    pixels = noise(4, 6).to_bytes()[0]
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = orientation
    found = load_image(saved(tmp_path, Pillow.fromarray(pixels), exif=exif))
    assert (bytes_of(found) == upright(pixels)).all()


def test_what_is_transparent_is_masked_and_keeps_its_colour(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 4), np.uint8)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 255
    found = load_image(saved(tmp_path, Pillow.fromarray(pixels)))
    assert (bytes_of(found) == pixels[:, :, :3]).all()
    np.testing.assert_allclose(found.mask.values[0], 1 - pixels[:, :, 3] / 255, atol=1e-6)
    assert found.mask.values[0, 0, 0] == 1
    assert found.mask.values[0, 0, 1] == 0


def test_transparency_of_palettes_greys_and_keyed_colours_counts(tmp_path: Path) -> None:
    palette = Pillow.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putdata([0, 1])
    found = load_image(saved(tmp_path, palette, transparency=1))
    assert bytes_of(found).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    assert found.mask.values.tolist() == [[[0, 1]]]
    grey = Pillow.fromarray(np.array([[[9, 255], [200, 0]]], np.uint8), "LA")
    found = load_image(saved(tmp_path, grey))
    assert bytes_of(found).tolist() == [[[9] * 3, [200] * 3]]
    assert found.mask.values.tolist() == [[[0, 1]]]
    keyed = Pillow.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert load_image(saved(tmp_path, keyed, transparency=(4, 5, 6))).mask.values.tolist() == [[[0, 1]]]


def test_greys_of_sixteen_bits_keep_them(tmp_path: Path) -> None:
    values = np.array([[0, 1, 32768, 65535]], np.uint16)
    for name in ("x.png", "x.tif"):
        pixels = load_image(saved(tmp_path, Pillow.fromarray(values), name)).image.pixels
        assert (pixels == (values / 65535).astype(np.float32)).all()


def test_floating_point_pixels_are_read_between_0_and_1(tmp_path: Path) -> None:
    values = np.array([[0, 0.25, 1]], np.float32)
    assert (load_image(saved(tmp_path, Pillow.fromarray(values), "x.tif")).image.pixels == values).all()
    for wrong in (values * 255, values * np.nan):
        message, port = refusal(saved(tmp_path, Pillow.fromarray(wrong), "x.tif"))
        assert "need to lie between 0 and 1" in message
        assert port == "file"


def test_bitmaps_and_inks_are_read(tmp_path: Path) -> None:
    bits = Pillow.fromarray(np.array([[True, False]]))
    assert bytes_of(load_image(saved(tmp_path, bits))).tolist() == [[[255] * 3, [0] * 3]]
    inks = Pillow.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = bytes_of(load_image(saved(tmp_path, inks, "x.jpg", quality=100)))
    assert abs(red.astype(int) - [255, 0, 0]).max() <= 3


def test_another_colour_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A profile whose red is sRGB's green and the other way round: two entries of its tag table change places
    swapped = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "RGB2".encode("utf-16-be"))
    pixels = np.array([[[255, 0, 0, 255], [0, 255, 0, 128], [0, 0, 255, 0], [128, 128, 128, 255]]], np.uint8)
    found = load_image(saved(tmp_path, Pillow.fromarray(pixels), icc_profile=swapped))
    expected = [[[0, 255, 0], [255, 0, 0], [0, 0, 255], [128, 128, 128]]]
    assert abs(bytes_of(found).astype(int) - expected).max() <= 1
    np.testing.assert_allclose(found.mask.values, 1 - pixels[None, :, :, 3] / 255, atol=1e-6)


def test_a_profile_that_calls_itself_srgb_leaves_every_byte_as_it_is(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    slightly = profile.replace(b"gTRC", b"????")  # converting with it would fail, and so be reported
    pixels = noise(9, 9).to_bytes()[0]
    for tagged in (profile, slightly):
        found = load_image(saved(tmp_path, Pillow.fromarray(pixels), icc_profile=tagged))
        assert (bytes_of(found) == pixels).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_profile_that_cannot_be_used_is_reported_and_left_away(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path, Pillow.new(mode, (3, 2)), "x.tif", icc_profile=b"no profile at all")
    with pytest.warns(UserWarning, match="colour profile cannot be used"):
        found = load_image(path)
    assert (found.image.width, found.image.height) == (3, 2)


def animation(folder: Path, format: str) -> tuple[Path, Array]:
    frames = noise(6, 5, batch=3).to_bytes()
    first, *rest = [Pillow.fromarray(frame) for frame in frames]
    options: dict[str, Any] = {"lossless": True} if format == "webp" else {}
    return saved(folder, first, f"x.{format}", save_all=True, append_images=rest, duration=90, **options), frames


@pytest.mark.parametrize("format", ["gif", "webp", "png", "tif"])
def test_an_animation_gives_its_first_frame_or_all_as_a_batch(tmp_path: Path, format: str) -> None:
    path, frames = animation(tmp_path, format)
    tolerance = 255 if format == "gif" else 0  # its colours are reduced
    whole = load_image(path, "all")
    assert whole.image.pixels.shape == (3, 3, 6, 5)
    assert whole.mask.values.shape == (3, 6, 5)
    assert abs(whole.image.to_bytes().astype(int) - frames).max() <= tolerance
    first = load_image(path)
    assert (first.image.pixels == whole.image.pixels[:1]).all()
    assert not np.array_equal(whole.image.pixels[0], whole.image.pixels[1])


def test_the_previews_in_a_phones_picture_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Pillow.new("RGB", (16, 8)).save(path, "MPO", save_all=True, append_images=[Pillow.new("RGB", (8, 4))])
    with Pillow.open(path) as picture:
        assert (picture.format, picture.n_frames) == ("MPO", 2)  # type: ignore[attr-defined]
    assert load_image(path, "all").image.pixels.shape == (1, 3, 8, 16)


def test_pages_of_different_sizes_make_no_batch(tmp_path: Path) -> None:
    path = saved(tmp_path, Pillow.new("L", (4, 4)), "x.tif", save_all=True, append_images=[Pillow.new("L", (5, 4))])
    message, port = refusal(path, "all")
    assert message == "frame 2 is 5 x 4 pixels and the first is 4 x 4, so they make no batch; load only the first"
    assert port == "frames"
    assert load_image(path).image.width == 4


def test_frames_are_counted_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = animation(tmp_path, "png")
    monkeypatch.setattr(picture_files, "MAX_PIXELS", 2 * 6 * 5)
    assert refusal(path, "all") == ("its frames have more than 60 pixels in all; load only the first", "frames")


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "gif", "bmp", "tiff", "avif"])
def test_a_truncated_file_is_refused(tmp_path: Path, format: str) -> None:
    file = io.BytesIO()
    Pillow.fromarray(noise(40, 40).to_bytes()[0]).save(file, format)
    path = tmp_path / "x.png"
    path.write_bytes(file.getvalue()[: len(file.getvalue()) * 2 // 3])
    message, port = refusal(path)
    assert str(path) in message
    assert "cut short or damaged" in message
    assert port == "file"


def test_a_wrong_name_does_not_matter(tmp_path: Path) -> None:
    path = saved(tmp_path, Pillow.new("RGB", (16, 16), (200, 100, 50)), "x.png", format="jpeg", quality=100)
    assert abs(bytes_of(load_image(path)).astype(int) - [200, 100, 50]).max() <= 2


def test_bombs_text_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    assert refusal(path)[0] == f"{str(path)!r} cannot be opened: No such file or directory; give the path of a picture"
    assert "Is a directory" in refusal(tmp_path)[0]
    path.write_text("hello")
    assert "it is not a picture; needed is a file in one of the formats PNG, JPEG" in refusal(path)[0]
    path.write_bytes(png_header(100_000, 100_000))
    assert "100,000 x 100,000 pixels" in refusal(path)[0]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(format=st.sampled_from(["png", "jpeg", "webp", "gif", "tiff", "bmp"]), data=st.data())
def test_any_damage_ends_in_a_picture_or_one_clear_error(tmp_path: Path, format: str, data: st.DataObject) -> None:
    file = io.BytesIO()
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = 6
    options = {} if format in ("gif", "bmp") else {"exif": exif}
    Pillow.fromarray(noise(9, 7).to_bytes()[0]).save(file, format, **options)
    damaged = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged EXIF, which it then does without
        try:
            found = load_image(path, "all")
        except NodeError as error:
            assert error.port in ("file", "frames")
        else:
            assert isinstance(found.image, Image)
            assert found.image.pixels.min() >= 0
            assert found.image.pixels.max() <= 1
