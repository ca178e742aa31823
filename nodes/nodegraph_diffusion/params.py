"""Literal inputs that several nodes share: their ranges and widgets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import MAX_INT, Widget

Seed = Annotated[int, Field(ge=0, le=MAX_INT), Widget("seed")]
Steps = Annotated[int, Field(ge=1, le=1000), Widget("number", step=1)]
Guidance = Annotated[float, Field(ge=0, le=100), Widget("slider", min=1, max=15, step=0.5)]
Hold = Annotated[float, Field(ge=0, le=10), Widget("slider", min=0, max=2, step=0.05)]
Unit = Annotated[float, Field(ge=0, le=1), Widget("slider", step=0.01)]
Pixels = Annotated[int, Field(ge=1, le=16384), Widget("number", step=8)]
Offset = Annotated[int, Field(ge=-16384, le=16384), Widget("number", step=8)]
Border = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Feather = Annotated[int, Field(ge=0, le=512), Widget("number", step=1)]
Count = Annotated[int, Field(ge=1, le=4096), Widget("number", step=1)]
Text = Annotated[str, Widget("textarea")]
Quality = Annotated[int, Field(ge=1, le=100), Widget("slider", min=50, max=100, step=1)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$"), Widget("colour")]
Filter = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]
