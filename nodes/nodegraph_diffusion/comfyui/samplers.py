"""Samplers with settings of their own, as ComfyUI's custom sampling has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import NodeError, Widget, node

from ..values import SamplerSettings

CATEGORY = "ComfyUI"
Amount = Annotated[float, Field(ge=0, le=100), Widget("number", step=0.01)]
Order = Annotated[int, Field(ge=1, le=100), Widget("number", step=1)]
Device = Literal["gpu", "cpu"]


@node(version=1, title="SamplerEulerAncestral", category=CATEGORY)
def SamplerEulerAncestral(eta: Amount = 1.0, s_noise: Amount = 1.0) -> SamplerSettings:
    """Euler's steps with noise in between.

    Args:
        eta: How much, as a part of what was taken away.
        s_noise: A factor of the noise that is added.
    """
    return _set("euler_ancestral", eta, s_noise)


@node(version=1, title="SamplerDPMPP_2S_Ancestral", category=CATEGORY)
def SamplerDPMPP_2S_Ancestral(eta: Amount = 1.0, s_noise: Amount = 1.0) -> SamplerSettings:
    """DPM-Solver++(2S) with noise in between.

    Args:
        eta: How much, as a part of what was taken away.
        s_noise: A factor of the noise that is added.
    """
    return _set("dpmpp_2s_ancestral", eta, s_noise)


@node(version=1, title="SamplerDPMPP_SDE", category=CATEGORY)
def SamplerDPMPP_SDE(
    eta: Amount = 1.0, s_noise: Amount = 1.0, r: Amount = 0.5, noise_device: Device = "gpu"
) -> SamplerSettings:
    """DPM-Solver++ for the SDE.

    Args:
        eta: How much noise is added, as a part of what was taken away.
        s_noise: A factor of the noise that is added.
        r: How far into each step the one between lies.
        noise_device: Is not read: noise is drawn on the processor.
    """
    if not 0 < r < 1:
        raise NodeError(f"the step between lies within a step, above 0 and below 1, not at {r:g}; 0.5 is usual", "r")
    made = _set("dpmpp_sde", eta, s_noise)
    return SamplerSettings(made.sampler, (*made.settings, ("r", r)))


@node(version=1, title="SamplerDPMPP_2M_SDE", category=CATEGORY)
def SamplerDPMPP_2M_SDE(
    solver_type: Literal["midpoint", "heun"] = "midpoint", eta: Amount = 1.0, s_noise: Amount = 1.0,
    noise_device: Device = "gpu",
) -> SamplerSettings:  # fmt: skip
    """DPM-Solver++(2M) for the SDE.

    Args:
        solver_type: How the line through the last two estimates is integrated.
        eta: How much noise is added, as a part of what was taken away.
        s_noise: A factor of the noise that is added.
        noise_device: Is not read: noise is drawn on the processor.
    """
    return _set("dpmpp_2m_sde" if solver_type == "midpoint" else "dpmpp_2m_sde_heun", eta, s_noise)


@node(version=1, title="SamplerDPMPP_3M_SDE", category=CATEGORY)
def SamplerDPMPP_3M_SDE(eta: Amount = 1.0, s_noise: Amount = 1.0, noise_device: Device = "gpu") -> SamplerSettings:
    """DPM-Solver++(3M) for the SDE.

    Args:
        eta: How much noise is added, as a part of what was taken away.
        s_noise: A factor of the noise that is added.
        noise_device: Is not read: noise is drawn on the processor.
    """
    return _set("dpmpp_3m_sde", eta, s_noise)


@node(version=1, title="SamplerLMS", category=CATEGORY)
def SamplerLMS(order: Order = 4) -> SamplerSettings:
    """A linear multistep method.

    Args:
        order: How many slopes it goes by.
    """
    return SamplerSettings("lms", (("order", order),))


def _set(sampler: str, eta: float, s_noise: float) -> SamplerSettings:
    return SamplerSettings(sampler, (("eta", eta), ("s_noise", s_noise)))
