"""Masks by a segmentation network of the user's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .file_weights import FileWeights
from .late import np
from .resampling import resampled
from .values import Image, Mask

if TYPE_CHECKING:
    import torch

    from .values import Floats

Side = Annotated[int, Field(ge=32, le=4096), Widget("number", step=32)]
ClassIndex = Annotated[int, Field(ge=0, le=4095), Widget("number", step=1)]
RANGES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "0..1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "-1..1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0..255": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}


@node(version=1, lane="gpu", category="mask")
def segment(
    ctx: Context,
    image: Image,
    model: Annotated[Path, Widget("file", suffix=".onnx")],
    class_index: ClassIndex = 0,
    range: Literal["imagenet", "0..1", "-1..1", "0..255"] = "imagenet",
    side: Side = 512,
) -> Mask:
    """Select what a segmentation network finds. Needs `nodegraph[segmentation]`.

    The network takes one picture (1, 3, height, width) and gives a map (1, classes, height, width) as its first output:
    of one class how sure it is, or of many, of which the likeliest counts.

    Args:
        image: A picture, or a batch of them.
        model: The network, an ONNX file.
        class_index: Which class to select, counted from 0, where the network knows several.
        range: What values it wants for a picture. Most were trained with the mean and spread of ImageNet.
        side: Width and height that the picture gets for the network, where the file leaves them open.
    """
    stat = model.stat()
    name, read = f"segmenter {model.stem}", partial(_session, model)
    with ctx.lease(FileWeights(name, model, stat.st_mtime_ns, "cpu", stat.st_size, read)) as session:
        return Mask(np.stack([_found(session, picture, class_index, range, side) for picture in image.pixels]))


def _session(file: Path, device: torch.device) -> Any:
    """The ONNX network in `file`; it runs on the CPU, whatever the device."""
    try:
        import onnxruntime
    except ImportError as error:
        message = "reading an ONNX network needs onnxruntime; run `pip install 'nodegraph[segmentation]'`"
        raise NodeError(message, "model") from error
    try:
        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes, one for each thing that can be wrong with a file
        message = f"{str(file)!r} is no ONNX network that can be run ({error}); give another file"
        raise NodeError(message, "model") from error


def _found(session: Any, picture: Floats, class_index: int, range: str, side: int) -> Floats:
    (given, *_) = session.get_inputs()
    shape = given.shape
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise NodeError(f"needs a network that takes (1, 3, height, width), and this one takes {shape}", "model")
    height, width = (size if isinstance(size, int) else side for size in shape[2:])
    mean, spread = (np.array(values, np.float32)[:, None, None] for values in RANGES[range])
    seen = (resampled(picture[None], width, height, "bilinear") - mean) / spread
    try:
        made = session.run(None, {given.name: seen.astype(np.float32)})[0]
    except Exception as error:  # onnxruntime raises classes of its own
        raise NodeError(f"the network does not take this picture ({error}); choose another side", "model") from error
    if made.ndim != 4:
        raise NodeError(f"needs a network that gives (1, classes, height, width), not {list(made.shape)}", "model")
    if made.shape[1] == 1:
        selected = made[0, 0]
        if selected.min() < 0 or selected.max() > 1:
            selected = 1 / (1 + np.exp(-selected.clip(-30, 30)))
    elif class_index < made.shape[1]:
        selected = (made[0].argmax(axis=0) == class_index).astype(np.float32)
    else:
        raise NodeError(f"the network knows {made.shape[1]} classes, so there is no {class_index}", "class_index")
    values = np.asarray(selected, np.float32)[None, None]
    whole: Floats = resampled(values, picture.shape[2], picture.shape[1], "bilinear")[0, 0]
    return whole
