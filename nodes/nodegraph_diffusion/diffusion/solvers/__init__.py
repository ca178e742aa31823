"""The solvers by name: each is one explicit step with an explicit state, see `step`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from .adams import deis, gradient_estimation, ipndm, ipndm_v, lms
from .cfgpp import (
    dpmpp_2m_cfg_pp,
    dpmpp_2s_ancestral_cfg_pp,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
    gradient_estimation_cfg_pp,
    res_multistep_ancestral_cfg_pp,
    res_multistep_cfg_pp,
)
from .dpm import dpm_adaptive, dpm_fast, fast_levels
from .exponential import (
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_2m_sde_heun,
    dpmpp_2s_ancestral,
    dpmpp_3m_sde,
    dpmpp_sde,
    res_multistep,
    res_multistep_ancestral,
)
from .extended import er_sde
from .onestep import dpm_2, dpm_2_ancestral, euler, euler_ancestral, heun, heunpp2, lcm
from .step import Noise, Solver, State, Step
from .stochastic import sa_solver, seeds_2, seeds_3
from .unipc import unipc

KARRAS = "Karras et al. 2022, arXiv:2206.00364"
DPMPP = "Lu et al. 2022, arXiv:2211.01095"
PNDM = "Zhang and Chen 2023, arXiv:2204.13902"
UNIPC = "Zhao et al. 2023, arXiv:2302.04867"
DPM = "Lu et al. 2022, arXiv:2206.00927"
CFGPP = "Chung et al. 2024, arXiv:2406.08070"
RES = "Zhang et al. 2023, arXiv:2308.02157"
SEEDS = "Gonzalez et al. 2023, arXiv:2305.14267"
SA = "Xue et al. 2023, arXiv:2309.05019"
CROWSON = "Crowson 2022, k-diffusion"

SOLVERS: Mapping[str, Solver] = {
    "euler": Solver("Euler", KARRAS, euler, rises=True),
    "euler_ancestral": Solver("Euler ancestral", CROWSON, euler_ancestral, "fresh", times="descent"),
    "heun": Solver("Heun", KARRAS, heun, times="walk", rises=True),
    "heunpp2": Solver("Heun++ 2", "none", heunpp2, times="walk"),
    "dpm_2": Solver("DPM-Solver 2", DPM, dpm_2, discards_penultimate=True, times="walk"),
    "dpm_2_ancestral": Solver("DPM-Solver 2 ancestral", CROWSON, dpm_2_ancestral, "fresh", discards_penultimate=True),
    "dpmpp_2s_ancestral": Solver("DPM-Solver++ 2S ancestral", DPMPP, dpmpp_2s_ancestral, "fresh", times="descent"),
    "dpmpp_sde": Solver("DPM-Solver++ SDE", DPMPP, dpmpp_sde, "brownian"),
    "dpmpp_2m": Solver("DPM-Solver++ 2M", DPMPP, dpmpp_2m, grid="lambda", times="walk"),
    "dpmpp_2m_sde": Solver("DPM-Solver++ 2M SDE", DPMPP, dpmpp_2m_sde, "brownian", "lambda"),
    "dpmpp_2m_sde_heun": Solver("DPM-Solver++ 2M SDE Heun", DPMPP, dpmpp_2m_sde_heun, "brownian", "lambda"),
    "dpmpp_3m_sde": Solver("DPM-Solver++ 3M SDE", CROWSON, dpmpp_3m_sde, "brownian", "lambda"),
    "res_multistep": Solver("RES multistep", RES, res_multistep, grid="lambda", times="walk"),
    "res_multistep_ancestral": Solver(
        "RES multistep ancestral",
        RES,
        res_multistep_ancestral,
        "fresh",
        "lambda",
        times="walk",
    ),
    "er_sde": Solver("ER-SDE 3", "Cui et al. 2023, arXiv:2309.06169", er_sde, "fresh", "lambda"),
    "seeds_2": Solver("SEEDS 2", SEEDS, seeds_2, "fresh", "lambda"),
    "seeds_3": Solver("SEEDS 3", SEEDS, seeds_3, "fresh", "lambda"),
    "sa_solver": Solver("SA-Solver", SA, sa_solver, "fresh", "lambda"),
    "sa_solver_pece": Solver("SA-Solver PECE", SA, partial(sa_solver, again=1), "fresh", "lambda"),
    "dpm_fast": Solver("DPM-Solver fast", DPM, dpm_fast, times="walk", levels=fast_levels),
    "dpm_adaptive": Solver("DPM-Solver adaptive", DPM, dpm_adaptive, times="walk"),
    "lms": Solver("LMS", CROWSON, lms, times="walk"),
    "ipndm": Solver("iPNDM", PNDM, ipndm, times="walk"),
    "ipndm_v": Solver("iPNDM for uneven steps", PNDM, ipndm_v, times="walk"),
    "deis": Solver("DEIS", PNDM, deis, grid="lambda", times="walk"),
    "gradient_estimation": Solver(
        "Gradient estimation", "Permenter and Yuan 2024, arXiv:2306.04848", gradient_estimation, times="walk"
    ),
    "euler_cfg_pp": Solver("Euler CFG++", CFGPP, euler_cfg_pp, apart=True),
    "euler_ancestral_cfg_pp": Solver("Euler ancestral CFG++", CFGPP, euler_ancestral_cfg_pp, "fresh", apart=True),
    "dpmpp_2s_ancestral_cfg_pp": Solver(
        "DPM-Solver++ 2S ancestral CFG++", CFGPP, dpmpp_2s_ancestral_cfg_pp, "fresh", times="walk", apart=True
    ),
    "dpmpp_2m_cfg_pp": Solver("DPM-Solver++ 2M CFG++", CFGPP, dpmpp_2m_cfg_pp, grid="lambda", times="walk", apart=True),
    "res_multistep_cfg_pp": Solver(
        "RES multistep CFG++", CFGPP, res_multistep_cfg_pp, grid="lambda", times="walk", apart=True
    ),
    "res_multistep_ancestral_cfg_pp": Solver(
        "RES multistep ancestral CFG++",
        CFGPP,
        res_multistep_ancestral_cfg_pp,
        "fresh",
        "lambda",
        times="walk",
        apart=True,
    ),
    "gradient_estimation_cfg_pp": Solver(
        "Gradient estimation CFG++", CFGPP, gradient_estimation_cfg_pp, times="walk", apart=True
    ),
    "ddim": Solver("DDIM", "Song et al. 2021, arXiv:2010.02502", euler, grid="alpha", rises=True),
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
