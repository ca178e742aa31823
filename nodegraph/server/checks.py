"""Checking a document without running it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Literal

from pydantic import Field, JsonValue

from ..problems import InvalidWorkflow, Problem
from .routing import Closed, View, post
from .site import Site


class Check(Closed):
    document: JsonValue
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    plan: bool = False
    targets: list[str] = Field(default_factory=list, max_length=1000)


class ProblemView(View):
    code: str
    node: str
    port: str | None
    message: str


class PlannedView(View):
    node: str
    type: str
    state: Literal["run", "memory", "disk", "unneeded", "always", "still"]
    why: str
    weights: int
    activations: int


class Checked(View):
    problems: list[ProblemView]
    facts: dict[str, dict[str, str | int | float | bool]] = Field(default_factory=dict)
    plan: list[PlannedView] | None = None


@post("/api/check", scope="view")
async def check(site: Site, body: Check) -> Checked:
    """Say everything that is wrong with a document, what is known of its outputs and, if asked, what a run would do."""
    return await asyncio.to_thread(_check, site, body)


def _check(site: Site, body: Check) -> Checked:
    try:
        workflow = site.documents.read(body.document, body.inputs)
        plan = site.documents.demand(workflow, body.targets)
    except InvalidWorkflow as error:
        return Checked(problems=[view(p) for p in error.problems])
    if plan.problems:
        return Checked(problems=[view(p) for p in plan.problems])
    made = [PlannedView(**asdict(p)) for p in site.engine.planned(plan)] if body.plan else None
    return Checked(problems=[], facts={port: dict(each) for port, each in plan.facts.items()}, plan=made)


def view(problem: Problem) -> ProblemView:
    return ProblemView(**problem.to_dict())
