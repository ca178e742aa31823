"""Batches of latents as ComfyUI puts them together and takes them apart. Each keeps the noise of its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..params import Count
from ..sizes import check_size
from ..values import Floats, Latent
from .latents import repeated, values_of, with_values
from .scaling import scaled

CATEGORY = "ComfyUI"
Amount = Annotated[int, Field(ge=1, le=64), Widget("number", step=1)]
Index = Annotated[int, Field(ge=0, le=63), Widget("number", step=1)]


@node(version=1, title="RepeatLatentBatch", category=CATEGORY)
def RepeatLatentBatch(samples: Latent, amount: Amount = 1) -> Latent:
    """Repeat a batch of latents, to make several pictures of it.

    Args:
        amount: How often it is there in the end.
    """
    check_size(samples.width, samples.height, samples.batch * amount, "amount")
    mask, places = samples.mask, samples.places
    if places is not None:
        span = max(places) - min(places) + 1
        places = tuple(place + turn * span for turn in range(amount) for place in places)
    return replace(
        samples, batch=samples.batch * amount, samples=repeated(samples.samples, amount),
        mask=mask if mask is None or len(mask) == 1 else repeated(mask, amount),
        masked=repeated(samples.masked, amount), places=places,
    )  # fmt: skip


@node(version=1, title="LatentBatch", category=CATEGORY)
def LatentBatch(samples1: Latent, samples2: Latent) -> Latent:
    """Put the latents of two batches into one. Each is sampled with the noise that it would have in its own.

    Args:
        samples1: The result has its size.
        samples2: What comes behind it.
    """
    one, other = values_of(samples1, "samples1"), values_of(samples2, "samples2")
    if one.shape[2:] != other.shape[2:]:
        other = scaled(other, one.shape[3], one.shape[2], "bilinear", "center")
    places = (*places_of(samples1), *places_of(samples2))
    return replace(with_values(samples1, np.concatenate([one, other])), mask=None, places=places)


@node(version=1, title="LatentFromBatch", category=CATEGORY)
def LatentFromBatch(samples: Latent, batch_index: Index = 0, length: Amount = 1) -> Latent:
    """Take latents out of a batch. They are sampled with the noise that they would have in it.

    Args:
        batch_index: The first, counted from 0; beyond the last it is that one.
        length: How many.
    """
    first = min(batch_index, samples.batch - 1)
    return part_of(samples, slice(first, min(first + length, samples.batch)), places_of(samples))


@node(version=1, title="RebatchLatents", category=CATEGORY)
def RebatchLatents(latents: Latent, batch_size: Count = 1) -> list[Latent]:
    """Part a batch of latents into smaller ones, which are sampled one after the other.

    Each has the noise that it would have in the whole.

    Args:
        batch_size: How many are in each.
    """
    places = places_of(latents)
    starts = range(0, latents.batch, batch_size)
    return [part_of(latents, slice(start, min(start + batch_size, latents.batch)), places) for start in starts]


@node(version=1, title="LatentBatchSeedBehavior", category=CATEGORY)
def LatentBatchSeedBehavior(samples: Latent, seed_behavior: Literal["random", "fixed"] = "fixed") -> Latent:
    """Say whether the latents of a batch are sampled with the same noise.

    Args:
        seed_behavior: "fixed" gives all the noise of the first, "random" each its own.
    """
    fixed = seed_behavior == "fixed"
    return replace(samples, places=(places_of(samples)[0],) * samples.batch if fixed else None)


def places_of(latent: Latent) -> tuple[int, ...]:
    """Where in a batch each of its pictures is, whose noise it gets."""
    return latent.places or tuple(range(latent.batch))


def part_of(latent: Latent, chosen: slice, places: tuple[int, ...]) -> Latent:
    """Some latents of a batch, with their noise."""

    def part(values: Floats | None) -> Floats | None:
        return values if values is None or len(values) == 1 < latent.batch else values[chosen]

    return replace(
        latent, batch=chosen.stop - chosen.start, samples=part(latent.samples), mask=part(latent.mask),
        masked=part(latent.masked), places=places[chosen],
    )  # fmt: skip
