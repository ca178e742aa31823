from __future__ import annotations

import pytest
import torch
from torch import nn

from nodegraph_diffusion.training.optimiser import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_orthogonalise_keeps_singular_vectors_and_levels_singular_values(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(shape[0], min(shape), generator=generator))
    right, _ = torch.linalg.qr(torch.randn(shape[1], min(shape), generator=generator))
    values = torch.logspace(0, -1.5, min(shape))
    made = orthogonalise(left @ values.diag() @ right.mT)
    inside = left.mT @ made @ right
    assert inside.diagonal().min() > 0.6
    assert inside.diagonal().max() < 1.25
    assert (inside - inside.diagonal().diag()).abs().max() < 1e-4
    assert torch.allclose(left @ inside @ right.mT, made, atol=1e-4)


def test_what_is_no_matrix_is_learned_by_adam() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.LayerNorm(5), nn.LayerNorm(5)
    muon = Muon([ours], lr=1.0, adam_lr=0.01)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, betas=(0.9, 0.99))
    for _ in range(5):
        x = torch.randn(4, 5)
        for layer, optimiser in ((ours, muon), (theirs, adam)):
            optimiser.zero_grad()
            (layer(x) - x.flip(1)).square().mean().backward()
            optimiser.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_muon_finds_a_linear_map() -> None:
    torch.manual_seed(0)
    layer, wanted = nn.Linear(8, 8, bias=False), torch.linalg.qr(torch.randn(8, 8))[0]
    muon = Muon([layer], lr=0.05, adam_lr=0.01)
    for step in range(200):
        muon.scale(1 - step / 200)
        x = torch.randn(32, 8)
        muon.zero_grad()
        (layer(x) - x @ wanted).square().mean().backward()
        muon.step()
    assert (layer.weight.T - wanted).abs().max() < 0.02
