"""The solvers by name: each is one explicit step with an explicit state, see `step`."""

from __future__ import annotations

from collections.abc import Mapping

from .adams import deis, gradient_estimation, ipndm, lms
from .exponential import (
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_2m_sde_heun,
    dpmpp_2s_ancestral,
    dpmpp_3m_sde,
    dpmpp_sde,
    res_multistep,
)
from .onestep import dpm_2, dpm_2_ancestral, euler, euler_ancestral, heun, heunpp2, lcm
from .step import Noise, Solver, State, Step
from .unipc import unipc

KARRAS = "Karras et al. 2022, arXiv:2206.00364"
DPMPP = "Lu et al. 2022, arXiv:2211.01095"
PNDM = "Zhang and Chen 2023, arXiv:2204.13902"
UNIPC = "Zhao et al. 2023, arXiv:2302.04867"
CROWSON = "Crowson 2022, k-diffusion"

SOLVERS: Mapping[str, Solver] = {
    "euler": Solver("Euler", KARRAS, euler),
    "euler_ancestral": Solver("Euler ancestral", CROWSON, euler_ancestral, "fresh", times="descent"),
    "heun": Solver("Heun", KARRAS, heun, times="walk"),
    "heunpp2": Solver("Heun++ 2", "none", heunpp2, times="walk"),
    "dpm_2": Solver("DPM-Solver 2", "Lu et al. 2022, arXiv:2206.00927", dpm_2, discards_penultimate=True, times="walk"),
    "dpm_2_ancestral": Solver("DPM-Solver 2 ancestral", CROWSON, dpm_2_ancestral, "fresh", discards_penultimate=True),
    "dpmpp_2s_ancestral": Solver("DPM-Solver++ 2S ancestral", DPMPP, dpmpp_2s_ancestral, "fresh", times="descent"),
    "dpmpp_sde": Solver("DPM-Solver++ SDE", DPMPP, dpmpp_sde, "brownian"),
    "dpmpp_2m": Solver("DPM-Solver++ 2M", DPMPP, dpmpp_2m, grid="lambda", times="walk"),
    "dpmpp_2m_sde": Solver("DPM-Solver++ 2M SDE", DPMPP, dpmpp_2m_sde, "brownian", "lambda"),
    "dpmpp_2m_sde_heun": Solver("DPM-Solver++ 2M SDE Heun", DPMPP, dpmpp_2m_sde_heun, "brownian", "lambda"),
    "dpmpp_3m_sde": Solver("DPM-Solver++ 3M SDE", CROWSON, dpmpp_3m_sde, "brownian", "lambda"),
    "res_multistep": Solver(
        "RES multistep", "Zhang et al. 2023, arXiv:2308.02157", res_multistep, grid="lambda", times="walk"
    ),
    "lms": Solver("LMS", CROWSON, lms, times="walk"),
    "ipndm": Solver("iPNDM", PNDM, ipndm, times="walk"),
    "deis": Solver("DEIS", PNDM, deis, grid="lambda", times="walk"),
    "gradient_estimation": Solver(
        "Gradient estimation", "Permenter and Yuan 2024, arXiv:2306.04848", gradient_estimation, times="walk"
    ),
    "ddim": Solver("DDIM", "Song et al. 2021, arXiv:2010.02502", euler, grid="alpha"),
    "ddpm": Solver("DDPM", "Ho et al. 2020, arXiv:2006.11239", euler_ancestral, "fresh", "alpha"),
    "lcm": Solver("LCM", "Luo et al. 2023, arXiv:2310.04378", lcm, "fresh", "alpha"),
    "unipc": Solver("UniPC", UNIPC, unipc("bh2", order=2), grid="lambda", discards_penultimate=True),
    # As ComfyUI runs them: third order, and the last step ends at 0.001.
    "uni_pc": Solver(
        "UniPC bh1, third order",
        UNIPC,
        unipc("bh1", 3, last_sigma=1e-3),
        grid="lambda",
        discards_penultimate=True,
        times="walk",
    ),
    "uni_pc_bh2": Solver(
        "UniPC bh2, third order",
        UNIPC,
        unipc("bh2", 3, last_sigma=1e-3),
        grid="lambda",
        discards_penultimate=True,
        times="walk",
    ),
}
"""`ddim` and `ddpm` take the steps of `euler` and `euler_ancestral`, which is what they are in this scale; only the
diffusers spacings differ."""

__all__ = ["SOLVERS", "Noise", "Solver", "State", "Step"]
