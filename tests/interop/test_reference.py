"""The page about ComfyUI says what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

import nodegraph_diffusion.comfyui
from nodegraph import Registry
from nodegraph.interop.classes import known_classes
from nodegraph.interop.names import twin_type
from nodegraph.interop.reference import markdown
from nodegraph.interop.table import ENTRIES, PARTS, SHOWN, TWINS, Take

REGISTRY = Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack)
PAGE = Path(__file__).parents[2] / "docs" / "comfyui.md"


def test_the_page_has_the_table() -> None:
    assert markdown(REGISTRY) in PAGE.read_text(encoding="utf-8"), "put markdown(registry) into the page"


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_name_what_is_there(name: str) -> None:
    entry, theirs = ENTRIES[name], known_classes()[name]
    node = REGISTRY.get(entry.type)
    assert node is not None
    assert {*entry.inputs, *entry.fixed} <= node.inputs.keys()
    assert set(entry.outputs) <= node.outputs.keys()
    assert len(entry.outputs) == len(theirs.outputs)
    assert {path.partition(".")[0] for path in entry.paths} | entry.ignored.keys() <= theirs.inputs.keys()
    missing = {n for n, port in node.inputs.items() if port.required} - entry.inputs.keys()
    assert not missing


@pytest.mark.parametrize("name", PARTS)
def test_parts_name_what_is_there(name: str) -> None:
    part, theirs = PARTS[name], known_classes()[name]
    named = [how.path if isinstance(how, Take) else how for how in part.values.values() if isinstance(how, Take | str)]
    assert {*named, *([part.passes] if part.passes else [])} <= theirs.inputs.keys()


def test_every_part_that_an_entry_reads_is_said_by_some() -> None:
    said = {name for part in PARTS.values() for name in part.values}
    read = {path.rpartition(".")[2] for entry in ENTRIES.values() for path in entry.paths if "." in path}
    assert read <= said


def test_the_rest_of_the_tables_is_about_known_classes() -> None:
    assert {*SHOWN, *TWINS} <= known_classes().keys()
    assert all(REGISTRY.get(twin_type(name)) is not None for name in TWINS)


SAMPLERS = """
euler euler_cfg_pp euler_ancestral euler_ancestral_cfg_pp heun heunpp2 dpm_2 dpm_2_ancestral lms dpm_fast
dpm_adaptive dpmpp_2s_ancestral dpmpp_2s_ancestral_cfg_pp dpmpp_sde dpmpp_sde_gpu dpmpp_2m dpmpp_2m_cfg_pp
dpmpp_2m_sde dpmpp_2m_sde_gpu dpmpp_2m_sde_heun dpmpp_2m_sde_heun_gpu dpmpp_3m_sde dpmpp_3m_sde_gpu ddpm lcm
ipndm ipndm_v deis res_multistep res_multistep_cfg_pp res_multistep_ancestral res_multistep_ancestral_cfg_pp
gradient_estimation gradient_estimation_cfg_pp er_sde seeds_2 seeds_3 sa_solver sa_solver_pece ddim uni_pc
uni_pc_bh2
"""
SCHEDULES = "simple sgm_uniform karras exponential ddim_uniform beta normal linear_quadratic kl_optimal"


@pytest.mark.parametrize(("port", "names"), [("sampler", SAMPLERS), ("schedule", SCHEDULES)])
def test_every_sampler_and_schedule_of_theirs_is_one_of_ours(port: str, names: str) -> None:
    node, how = REGISTRY.get("Sample"), ENTRIES["KSampler"].inputs[port]
    assert node is not None
    known = node.inputs[port].schema()["enum"]
    assert not [name for name in names.split() if (how.here(name) if isinstance(how, Take) else name) not in known]
