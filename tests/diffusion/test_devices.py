from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from nodegraph_diffusion.diffusion.devices import choose_dtype, computes

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _asks_again() -> Iterator[None]:
    computes.cache_clear()
    yield
    computes.cache_clear()


@pytest.mark.parametrize(
    ("has", "bfloat16", "float16"),
    [
        ({"avx2": True, "avx512_bf16": False, "avx512_fp16": False}, torch.float32, torch.float32),
        ({"avx512_bf16": True, "amx_fp16": False}, torch.bfloat16, torch.float32),
        ({"neon": True, "bf16": True, "fp16_arith": True}, torch.bfloat16, torch.float16),
    ],
)
def test_a_processor_computes_in_the_half_types_that_it_has_instructions_for(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], bfloat16: torch.dtype, float16: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert choose_dtype(CPU, "bfloat16") == bfloat16
    assert choose_dtype(CPU, "float16") == float16
    assert choose_dtype(CPU, "float32") == choose_dtype(CPU) == torch.float32
    assert choose_dtype(torch.device("mps"), "bfloat16") == torch.bfloat16


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no dtype 'int8'; choose 'auto', 'float32', 'float16', 'bfloat16'"):
        choose_dtype(CPU, "int8")
