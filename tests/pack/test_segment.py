from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from nodegraph import NodeError
from nodegraph_diffusion.segment import segment
from nodegraph_diffusion.values import Image
from onnx_files import write_network

INSTALLED = importlib.util.find_spec("onnxruntime") is not None
needs_onnxruntime = pytest.mark.skipif(not INSTALLED, reason="onnxruntime is not installed")


def halves(left: tuple[float, float, float], right: tuple[float, float, float]) -> Image:
    pixels = np.empty((1, 3, 48, 64), np.float32)
    pixels[..., :32], pixels[..., 32:] = (np.array(c, np.float32)[:, None, None] for c in (left, right))
    return Image(pixels)


@needs_onnxruntime
def test_one_class_says_how_sure_it_is(tmp_path: Path) -> None:
    network = write_network(tmp_path / "mean.onnx", "ReduceMean", (1, 3, "h", "w"), axes=[1])
    made = segment(halves((0, 0, 0), (1, 0.8, 0.9)), network, range="0..1", side=64).values
    assert made.shape == (1, 48, 64)
    assert made[..., :28].max() < 0.02
    np.testing.assert_allclose(made[..., 36:], 0.9, atol=0.02)


@needs_onnxruntime
def test_values_beyond_0_to_1_pass_a_sigmoid(tmp_path: Path) -> None:
    network = write_network(tmp_path / "mean.onnx", "ReduceMean", (1, 3, 48, 64), axes=[1])
    made = segment(halves((0, 0, 0), (1, 1, 1)), network, range="-1..1").values
    np.testing.assert_allclose(made[..., :28], 1 / (1 + np.e), atol=1e-3)
    np.testing.assert_allclose(made[..., 36:], 1 / (1 + 1 / np.e), atol=1e-3)


@needs_onnxruntime
@pytest.mark.parametrize(("wanted", "selected"), [(0, "left"), (1, "none"), (2, "right")])
def test_of_several_classes_the_likeliest_counts(tmp_path: Path, wanted: int, selected: str) -> None:
    network = write_network(tmp_path / "same.onnx", "Identity", (1, 3, 48, 64))
    made = segment(halves((0.9, 0.2, 0.1), (0.1, 0.2, 0.9)), network, class_index=wanted, range="0..1").values
    assert (made[..., :32] == (selected == "left")).all()
    assert (made[..., 32:] == (selected == "right")).all()


@needs_onnxruntime
def test_what_is_no_such_network_is_refused_in_words(tmp_path: Path) -> None:
    same = write_network(tmp_path / "same.onnx", "Identity", (1, 3, 48, 64))
    with pytest.raises(NodeError, match="knows 3 classes, so there is no 3"):
        segment(halves((0, 0, 0), (1, 1, 1)), same, class_index=3)
    four = write_network(tmp_path / "four.onnx", "Identity", (1, 4, 48, 64))
    with pytest.raises(NodeError, match=r"takes \(1, 3, height, width\), and this one takes \[1, 4, 48, 64\]"):
        segment(halves((0, 0, 0), (1, 1, 1)), four)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(NodeError, match="is no ONNX network that can be run"):
        segment(halves((0, 0, 0), (1, 1, 1)), broken)


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    network = write_network(tmp_path / "same.onnx", "Identity", (1, 3, 48, 64))
    with pytest.raises(NodeError, match=r"pip install 'nodegraph\[segmentation\]'"):
        segment(halves((0, 0, 0), (1, 1, 1)), network)
