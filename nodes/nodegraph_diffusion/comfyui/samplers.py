"""Samplers with settings of their own, as ComfyUI's custom sampling has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import NodeError, Widget, node

from ..handles import Model
from ..params import Unit
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


@node(version=1, title="SamplerEulerAncestralCFGPP", category=CATEGORY)
def SamplerEulerAncestralCFGPP(eta: Amount = 1.0, s_noise: Amount = 1.0) -> SamplerSettings:
    """Euler's steps of CFG++ with noise in between.

    Args:
        eta: How much, as a part of what was taken away.
        s_noise: A factor of the noise that is added.
    """
    return _set("euler_ancestral_cfg_pp", eta, s_noise)


@node(version=1, title="SamplerEulerCFGpp", category=CATEGORY)
def SamplerEulerCFGpp(version: Literal["regular", "alternative"] = "regular") -> SamplerSettings:
    """Euler's steps of CFG++.

    Args:
        version: Only the regular one is known here.
    """
    if version != "regular":
        raise NodeError("only the regular version is known here; choose it", "version")
    return SamplerSettings("euler_cfg_pp", ())


@node(version=1, title="SamplerDPMAdaptative", category=CATEGORY)
def SamplerDPMAdaptative(
    order: Annotated[int, Field(ge=2, le=3), Widget("number", step=1)] = 3, rtol: Amount = 0.05, atol: Amount = 0.0078,
    h_init: Amount = 0.05, pcoeff: Amount = 0.0, icoeff: Amount = 1.0, dcoeff: Amount = 0.0,
    accept_safety: Amount = 0.81, eta: Amount = 0.0, s_noise: Amount = 1.0,
) -> SamplerSettings:  # fmt: skip
    """DPM-Solver with steps of its own choice.

    Args:
        order: Of its steps.
        rtol: How far off a step may be, as a part of the latent.
        atol: How far off it may be at least.
        h_init: The first step, in the logarithm of the noise level.
        pcoeff: Only 0 is known here.
        icoeff: How far a step's error changes the size of the next.
        dcoeff: Only 0 is known here.
        accept_safety: A step is taken if the next one would not be shorter than by this factor.
        eta: Only 0, no noise in between, is known here.
        s_noise: Is not read, as no noise is added.
    """
    for name, value in (("pcoeff", pcoeff), ("dcoeff", dcoeff), ("eta", eta)):
        if value:
            raise NodeError(f"only 0 is known here, got {value:g}; set it to 0", name)
    for name, value in (("rtol", rtol), ("atol", atol), ("h_init", h_init)):
        if not value:
            raise NodeError("must be above 0, or no step is ever small enough", name)
    settings = {"order": order, "rtol": rtol, "atol": atol, "h_init": h_init, "icoeff": icoeff}
    return SamplerSettings("dpm_adaptive", (*settings.items(), ("accept_safety", accept_safety)))


@node(version=1, title="SamplerER_SDE", category=CATEGORY)
def SamplerER_SDE(
    solver_type: Literal["ER-SDE", "Reverse-time SDE", "ODE"] = "ER-SDE",
    max_stage: Annotated[int, Field(ge=1, le=3), Widget("number", step=1)] = 3, eta: Amount = 1.0,
    s_noise: Amount = 1.0,
) -> SamplerSettings:  # fmt: skip
    """Extended reverse-time SDE solvers.

    Args:
        solver_type: How noise is added on the way.
        max_stage: How many estimates a step goes by.
        eta: How much noise the reverse-time SDE adds, as a part of what was taken away; others do not read it.
        s_noise: A factor of the noise that is added.
    """
    power = {"ER-SDE": 0.0, "Reverse-time SDE": eta + 1, "ODE": 1.0}[solver_type]
    return SamplerSettings("er_sde", (("power", power), ("stages", max_stage), ("s_noise", s_noise)))


@node(version=1, title="SamplerSASolver", category=CATEGORY)
def SamplerSASolver(
    model: Model, eta: Amount = 1.0, sde_start_percent: Unit = 0.2, sde_end_percent: Unit = 0.8, s_noise: Amount = 1.0,
    predictor_order: Annotated[int, Field(ge=1, le=6), Widget("number", step=1)] = 3,
    corrector_order: Annotated[int, Field(ge=0, le=6), Widget("number", step=1)] = 4, use_pece: bool = False,
    simple_order_2: bool = False,
) -> SamplerSettings:  # fmt: skip
    """SA-Solver, a stochastic Adams method.

    Args:
        model: Is not read: the model that is sampled says where noise is added.
        eta: How much, as a part of what was taken away.
        sde_start_percent: From which part of the way on noise is added.
        sde_end_percent: Up to which part.
        s_noise: A factor of the noise that is added.
        predictor_order: How many estimates a step goes by.
        corrector_order: How many its correction goes by; 0 corrects none.
        use_pece: Ask once more where a correction arrived.
        simple_order_2: Take a simpler weight in steps of second order.
    """
    settings = {
        "eta": eta,
        "s_noise": s_noise,
        "predictor_order": predictor_order,
        "corrector_order": corrector_order,
        "sde_start": sde_start_percent,
        "sde_end": sde_end_percent,
        "simple_order_2": float(simple_order_2),
    }
    return SamplerSettings("sa_solver_pece" if use_pece else "sa_solver", tuple(settings.items()))


def _set(sampler: str, eta: float, s_noise: float) -> SamplerSettings:
    return SamplerSettings(sampler, (("eta", eta), ("s_noise", s_noise)))
