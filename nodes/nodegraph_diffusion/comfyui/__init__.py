"""The pack `comfyui`: nodes with the names, inputs and numbers of ComfyUI's, where no node here does just what they do.

Documents that come from there use them, so that their pictures stay the same. Where a node of the standard pack gives
the same, that one is used instead.
"""

from nodegraph import Pack

from . import (
    arithmetic,
    compositing,
    control,
    editing,
    gligen,
    latents,
    levels,
    loaders,
    masks,
    models,
    pictures,
    prompts,
    samplers,
    shapes,
    texts,
    vision,
)

pack = Pack.of(
    "comfyui",
    arithmetic,
    compositing,
    control,
    editing,
    gligen,
    latents,
    levels,
    loaders,
    masks,
    models,
    pictures,
    prompts,
    samplers,
    shapes,
    texts,
    vision,
)
