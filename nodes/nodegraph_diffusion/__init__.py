"""The standard pack: the nodes of latent diffusion. Importing it does not import torch."""

from nodegraph import Pack

from . import (
    batch,
    coercions,
    composite,
    crop,
    decode,
    empty_latent,
    encode_image,
    encode_prompt,
    grid,
    load_image,
    load_model,
    mask,
    primitives,
    resize,
    sample,
    save_animation,
    save_image,
    upscale,
)
from .diffusion.allocator import tune_allocator

pack = Pack.of(
    "",
    batch,
    coercions,
    composite,
    crop,
    decode,
    empty_latent,
    encode_image,
    encode_prompt,
    grid,
    load_image,
    load_model,
    mask,
    primitives,
    resize,
    sample,
    save_animation,
    save_image,
    upscale,
    prepare=tune_allocator,
)
