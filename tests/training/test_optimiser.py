from __future__ import annotations

import torch
from torch import nn

from nodegraph_diffusion.training.optimiser import Muon, as_matrix, orthogonalise


def test_orthogonalise_keeps_singular_vectors_and_levels_singular_values() -> None:
    generator = torch.Generator().manual_seed(0)
    bases = []
    for m, n in ((6, 40), (40, 6), (12, 12), (6, 7)):
        left, _ = torch.linalg.qr(torch.randn(m, min(m, n), generator=generator))
        right, _ = torch.linalg.qr(torch.randn(n, min(m, n), generator=generator))
        bases.append((left, torch.logspace(0, -1.5, min(m, n)), right))
    found = orthogonalise([left @ values.diag() @ right.mT for left, values, right in bases])
    for (left, _, right), made in zip(bases, found, strict=True):
        inside = left.mT @ made @ right
        assert inside.diagonal().min() > 0.6
        assert inside.diagonal().max() < 1.25
        assert (inside - inside.diagonal().diag()).abs().max() < 1e-4
        assert torch.allclose(left @ inside @ right.mT, made, atol=1e-4)


def test_a_kernel_is_seen_as_one_matrix_in_the_order_it_lies_in_memory() -> None:
    kernel = torch.randn(5, 6, 3, 3).to(memory_format=torch.channels_last)
    matrix = as_matrix(kernel)
    assert matrix.shape == (5, 54)
    assert matrix.data_ptr() == kernel.data_ptr()
    assert torch.equal(matrix[2].view(3, 3, 6).permute(2, 0, 1), kernel[2])


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
