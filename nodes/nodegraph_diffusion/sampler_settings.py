"""A sampler with settings of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Widget, node

from .values import SamplerSettings

Amount = Annotated[float, Field(ge=0, le=100), Widget("slider", min=0, max=2, step=0.05)]


@node(version=1, category="latent")
def sampler_settings(
    sampler: Literal[
        "euler_ancestral", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun",
        "dpmpp_3m_sde",
    ] = "euler_ancestral",
    eta: Amount = 1.0,
    noise: Amount = 1.0,
) -> SamplerSettings:  # fmt: skip
    """Say how much noise a sampler adds on its way, for Sample's settings.

    Args:
        sampler: One that adds noise.
        eta: How much, as a part of what was taken away: 1 is as much as Sample takes by itself, 0 is none.
        noise: A factor of the noise that is added; slightly above 1 brings back detail that is lost on the way.
    """
    return SamplerSettings(sampler, (("eta", eta), ("s_noise", noise)))
