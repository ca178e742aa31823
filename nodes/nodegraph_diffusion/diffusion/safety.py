"""Networks that say whether a picture is fit to be shown: the one that ships, and the CompVis checker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ..checkpoint import ASSETS, ModelError

SHIPPED = ASSETS / "safety" / "nsfwjs_mobilenet_v2_f16.npz"
LAYERS = ASSETS / "safety" / "nsfwjs_mobilenet_v2.layers.json"
CLASSES = ("drawing", "hentai", "neutral", "porn", "sexy")
EXPLICIT = ("hentai", "porn")
SUGGESTIVE = ("sexy",)
SIDE = 224


class Checker(Protocol):
    """What judges pictures."""

    def __call__(self, pictures: Tensor, /, suggestive: bool) -> Tensor:
        """How unfit each of `pictures` (B, 3, H, W), 0..1, is (B,): 0 to 1, from 0.5 on rather unfit than not.

        Args:
            suggestive: Whether what is only suggestive counts too, where the checker can tell it apart.
        """


class Layered(nn.Module):
    """A network of Keras layers, from the list of them: (B, 3, SIDE, SIDE), 0..1, to the share of each class."""

    def __init__(self, layers: list[dict[str, Any]], weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.order = [(layer["name"], layer["inbound"]) for layer in layers]
        self.layers = nn.ModuleDict({layer["name"]: _layer(layer, weights) for layer in layers})

    def forward(self, pictures: Tensor) -> Tensor:
        made: dict[str, Tensor] = {}
        for name, inbound in self.order:
            made[name] = self.layers[name](*(made[source] for source in inbound) if inbound else (pictures,))
        return made[name]


class _Add(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second


def _layer(layer: dict[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
    config, name = layer["config"], layer["name"]
    match layer["class_name"]:
        case "InputLayer" | "Dropout":
            return nn.Identity()
        case "ZeroPadding2D":
            (top, bottom), (left, right) = config["padding"]
            return nn.ZeroPad2d((left, right, top, bottom))
        case "Conv2D":
            return _convolution(config, weights[f"{name}/kernel"].permute(3, 2, 0, 1), 1)
        case "DepthwiseConv2D":
            kernel = weights[f"{name}/depthwise_kernel"].permute(2, 3, 0, 1)
            return _convolution(config, kernel, len(kernel))
        case "BatchNormalization":
            norm = nn.BatchNorm2d(len(weights[f"{name}/gamma"]), eps=config["epsilon"])
            names = ("gamma", "beta", "moving_mean", "moving_variance")
            weight, bias, mean, variance = (weights[f"{name}/{each}"] for each in names)
            state = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
            norm.load_state_dict(state, strict=False)
            return norm
        case "ReLU":
            return nn.ReLU6()
        case "Add":
            return _Add()
        case "AveragePooling2D":
            return nn.AvgPool2d(config["pool_size"], config["strides"])
        case "Flatten":
            return nn.Flatten()
        case "Dense":
            kernel = weights[f"{name}/kernel"]
            linear = nn.Linear(*kernel.shape)
            linear.load_state_dict({"weight": kernel.T, "bias": weights[f"{name}/bias"]})
            return nn.Sequential(linear, nn.Softmax(1) if config["activation"] == "softmax" else nn.ReLU())
    raise ValueError(f"a layer of the class {layer['class_name']!r}")


def _convolution(config: dict[str, Any], kernel: Tensor, groups: int) -> nn.Conv2d:
    made, given, height, width = kernel.shape
    padding = "same" if config["padding"] == "same" else 0
    convolution = nn.Conv2d(
        given * groups, made, (height, width), tuple(config["strides"]), padding, groups=groups, bias=False
    )
    convolution.load_state_dict({"weight": kernel})
    return convolution


class Classifier:
    """The network that ships: a MobileNetV2 with five classes."""

    def __init__(self, network: Layered, device: torch.device) -> None:
        self._network = network.eval().requires_grad_(False).to(device)
        self._device = device

    @torch.inference_mode()
    def classes(self, pictures: Tensor) -> Tensor:
        """The share of each of `CLASSES` (B, 5)."""
        seen = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)
        made: Tensor = self._network(seen.to(self._device)).cpu()
        return made

    def __call__(self, pictures: Tensor, /, suggestive: bool) -> Tensor:
        counted = EXPLICIT + SUGGESTIVE if suggestive else EXPLICIT
        return self.classes(pictures)[:, [CLASSES.index(name) for name in counted]].sum(dim=1)


class ClipChecker:
    """The checker of Stable Diffusion 1: how near CLIP sees a picture to each of 17 hidden concepts.

    A picture nearer to a concept than that concept's threshold is unfit; its score is 0.5 and what its cosine is above.
    """

    MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    CARE = 0.01
    """By how much thresholds sink for a picture that is near to a concept that asks for special care."""

    def __init__(self, checker: Any, device: torch.device) -> None:
        self._checker = checker.eval().requires_grad_(False).to(device)
        self._device = device
        self._side: int = checker.config.vision_config.image_size

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, /, suggestive: bool) -> Tensor:
        height, width = pictures.shape[-2:]
        scale = self._side / min(height, width)
        size = (max(self._side, round(height * scale)), max(self._side, round(width * scale)))
        seen = functional.interpolate(pictures, size, mode="bicubic", antialias=True).clamp(0, 1)
        top, left = (size[0] - self._side) // 2, (size[1] - self._side) // 2
        seen = seen[:, :, top : top + self._side, left : left + self._side]
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.MEAN, self.STD))
        checker = self._checker
        pooled = checker.vision_model(((seen - mean) / std).to(self._device))[1]
        found = functional.normalize(checker.visual_projection(pooled))
        care = found @ functional.normalize(checker.special_care_embeds).T - checker.special_care_embeds_weights
        near = found @ functional.normalize(checker.concept_embeds).T - checker.concept_embeds_weights
        lowered = (care.amax(dim=1) > 0) * self.CARE
        score: Tensor = (0.5 + near.amax(dim=1) + lowered).clamp(0, 1).cpu()
        return score


def load_checker(file: Path | None, device: torch.device) -> Checker:
    """The checker that ships, or the CompVis one whose weights are in `file` and whose `config.json` lies beside it.

    Raises:
        ModelError: There is no such checker.
    """
    if file is None:
        with np.load(SHIPPED) as stored:
            weights = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
        return Classifier(Layered(json.loads(LAYERS.read_text(encoding="utf-8")), weights), device)
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    try:
        config = CLIPConfig.from_dict(json.loads((file.parent / "config.json").read_text(encoding="utf-8")))
        checker = StableDiffusionSafetyChecker(config)
        missing = checker.load_state_dict(_weights(file, checker.state_dict()), strict=False).missing_keys
    except (OSError, ValueError, TypeError, KeyError, SafetensorError, RuntimeError) as error:
        message = f"{file}: is not the model.safetensors of a Stable Diffusion safety checker with its config.json"
        raise ModelError(f"{message} ({error}); give that file in the folder safety_checker of a model") from error
    if missing:
        message = f"{file}: lacks {len(missing)} weights of a Stable Diffusion safety checker, such as {missing[0]!r}"
        raise ModelError(f"{message}; get the file again")
    return ClipChecker(checker, device)


def _weights(file: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in `file`, as they are `wanted`: versions of transformers nest the vision model once or twice."""
    once, twice = "vision_model.", "vision_model.vision_model."
    nested = any(name.startswith(twice) for name in wanted)
    stored = load_file(file)
    return {name if nested else name.replace(twice, once): value for name, value in stored.items()}
