"""The pack `comfyui`: nodes with the names, inputs and numbers of ComfyUI's, where no node here does just what they do.

Documents that come from there use them, so that their pictures stay the same. Where a node of the standard pack gives
the same, that one is used instead.
"""

from nodegraph import Pack

from . import (
    arithmetic,
    batches,
    compositing,
    control,
    editing,
    encoding,
    filters,
    gligen,
    latents,
    levels,
    loaders,
    lotus,
    masks,
    models,
    pictures,
    prompts,
    resizing,
    samplers,
    texts,
    upscaling,
    vision,
)

pack = Pack.of(
    "comfyui",
    arithmetic,
    batches,
    compositing,
    control,
    editing,
    encoding,
    filters,
    gligen,
    latents,
    levels,
    loaders,
    lotus,
    masks,
    models,
    pictures,
    prompts,
    resizing,
    samplers,
    texts,
    upscaling,
    vision,
)
