"""IP-Adapters (Ye et al. 2023, arXiv:2308.06721) and the encoders of their pictures, told from headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .folder import files_of, read_json
from .header import Header, ModelError, Tensor, digest, read_header
from .state import once
from .value import Checkpoint, Component

Kind = Literal["plain", "full", "plus"]
MARKS: tuple[tuple[str, Kind, str, int], ...] = (
    ("image_proj.proj.weight", "plain", "image_proj.proj.weight", 1),
    ("image_proj.proj.3.weight", "full", "image_proj.proj.0.weight", 1),
    ("image_proj.latents", "plus", "image_proj.proj_in.weight", 1),
)
"""The tensor that tells a kind, the kind, and the tensor and dimension that tell what it reads."""
LAYERS = {"UNet2DConditionModel": "to_k_ip.weight", "FluxTransformer2DModel": "ip_adapter_double_stream_k_proj.weight"}
"""The denoisers that they are for, each with the end of the names of what it is given."""
FLUX = "ip_adapter_proj_model."
"""What XLabs, whose adapters are for Flux, call the projection of the picture."""
ENCODER = "CLIPVisionModelWithProjection"


@dataclass(frozen=True, slots=True)
class IpAdapter:
    """What shows a picture to the attention of a UNet or of Flux."""

    path: str
    denoiser: str
    """The class of the denoiser that it is for, in diffusers."""
    kind: Kind
    """"plain" reads a picture as one vector, "full" and "plus" as the patches that CLIP sees."""
    reads: int
    """How wide the vectors of its image encoder are."""
    width: int
    """Of the prompts that the denoiser reads."""
    layers: int
    """How many layers of it attend to the picture."""
    bytes: int
    revision: str

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.path).name


def open_ip_adapter(path: Path) -> IpAdapter:
    """What the IP-Adapter at `path` is for.

    Raises:
        ModelError: It is none, or one of a kind that is not supported.
    """
    header = read_header(path)
    found = {cls: [t for name, t in header.tensors.items() if name.endswith(end)] for cls, end in LAYERS.items()}
    denoiser, layers = max(found.items(), key=lambda each: len(each[1]))
    if not layers:
        what = f"none of its {len(header.tensors)} tensors is named ...{' or ...'.join(LAYERS.values())}"
        raise ModelError(f"{path}: is no IP-Adapter: {what}. Get one for Stable Diffusion 1, XL or Flux")
    if any(".norm_ip." in name for name in header.tensors):
        raise ModelError(f"{path}: is an IP-Adapter for Stable Diffusion 3, which is not supported. Get one for Stable "
                         "Diffusion 1, XL or Flux")  # fmt: skip
    kind, reads = _kind(path, header)
    return IpAdapter(
        path=str(path),
        denoiser=denoiser,
        kind=kind,
        reads=reads,
        width=layers[0].shape[1],
        layers=len(layers),
        bytes=sum(tensor.bytes for tensor in header.tensors.values()),
        revision=digest([path], [], mtime=True),
    )


def _kind(path: Path, header: Header) -> tuple[Kind, int]:
    if f"{FLUX}proj.weight" in header.tensors:
        return "plain", header.shape(f"{FLUX}proj.weight")[1]
    for mark, kind, name, dimension in MARKS:
        if mark in header.tensors:
            return kind, header.shape(name)[dimension]
    if "image_proj.proj.0.weight" in header.tensors or header.under("image_proj.perceiver_resampler."):
        raise ModelError(f"{path}: is a FaceID, which reads what InsightFace recognises, whose weights are free for "
                         "research alone: none comes along. Get a plain, a plus or a full-face one")  # fmt: skip
    raise ModelError(f"{path}: is an IP-Adapter of a kind that is not known. Get a plain, a plus or a full-face one")


@once
def open_image_encoder(path: Path, family: str) -> Checkpoint:
    """The image encoder in the folder `path`, for a model of `family`.

    Raises:
        ModelError: It is none.
    """
    config = read_json(path / "config.json", "Name the folder of an image encoder, which has one")
    if ENCODER not in (config.get("architectures") or ()):
        what = ", ".join(config.get("architectures") or [str(config.get("_class_name"))])
        raise ModelError(f"{path}: is {what}, needed {ENCODER}. It comes with the IP-Adapter, as 'image_encoder'")
    files = files_of(path, "model")
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_header(file).tensors
    part = Component.of("image_encoder", ENCODER, tuple(file.name for file in files), config, tensors)
    revision = digest(files, [path / "config.json"], mtime=True)
    return Checkpoint(str(path), "folder", family, "epsilon", "the family", {}, part, (), None, revision)
