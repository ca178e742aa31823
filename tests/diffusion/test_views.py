from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffusion.gaussian import Gaussian, even
from nodegraph_diffusion.diffusion.noise import Draw
from nodegraph_diffusion.diffusion.sampling import sample
from nodegraph_diffusion.diffusion.schedules import Point
from nodegraph_diffusion.diffusion.solvers import SOLVERS
from nodegraph_diffusion.diffusion.views import Region, View, Views, regions, spans, tiles

POINT = Point(1.0, 100.0)


@given(length=st.integers(1, 300), tile=st.integers(2, 64), data=st.data())
def test_spans_cover_a_length_and_overlap(length: int, tile: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(1, tile - 1))
    found = spans(length, tile, overlap)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert {stop - start for start, stop in found} == {min(length, tile)}
    for (_, before), (after, _) in itertools.pairwise(found):
        assert before - after >= overlap
    assert len(found) == 1 or len(spans(length, tile, overlap)) <= length


@settings(deadline=None)
@given(height=st.integers(4, 40), width=st.integers(4, 40), tile=st.integers(3, 16), data=st.data())
def test_tiles_of_a_pointwise_denoiser_are_the_whole(height: int, width: int, tile: int, data: st.DataObject) -> None:
    """Where a pixel depends on itself alone, it does not matter through which window it is seen."""
    overlap = data.draw(st.integers(1, tile - 1))
    x = torch.randn(2, 4, height, width, generator=torch.Generator().manual_seed(0))
    denoise = Gaussian()
    views = Views(tiles(denoise, (height, width), tile, overlap), (height, width))
    torch.testing.assert_close(views(x, POINT), Gaussian()(x, POINT))
    assert denoise.calls == len(views.views)
    assert all(view.rows[1] - view.rows[0] <= tile for view in views.views)


@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m", "heun"])
def test_every_solver_walks_through_tiles(solver: str) -> None:
    shape = (1, 4, 24, 20)
    draw, schedule = Draw(3, shape), even(6)
    whole = sample(Gaussian(), SOLVERS[solver], schedule, torch.zeros(shape), draw).latent
    views = Views(tiles(Gaussian(), (24, 20), 8, 3), (24, 20))
    torch.testing.assert_close(sample(views, SOLVERS[solver], schedule, torch.zeros(shape), draw).latent, whole)


def test_where_tiles_meet_both_count() -> None:
    """With windows that disagree, the answer goes over from one to the other without a step."""

    def first(x: Tensor, point: Point, /) -> Tensor:
        return torch.zeros_like(x)

    def second(x: Tensor, point: Point, /) -> Tensor:
        return torch.ones_like(x)

    made = tiles(first, (4, 20), 12, 4)
    views = [View(first if view.columns[0] == 0 else second, view.rows, view.columns, view.share) for view in made]
    row = Views(views, (4, 20))(torch.zeros(1, 1, 4, 20), POINT)[0, 0, 0]
    assert row[:8].eq(0).all()
    assert row[12:].eq(1).all()
    assert row.diff().min() >= 0
    assert row.diff().max() < 0.4


def test_a_window_is_all_that_is_seen() -> None:
    seen: list[tuple[int, ...]] = []

    def denoise(x: Tensor, point: Point, /) -> Tensor:
        seen.append(tuple(x.shape))
        return x

    Views(tiles(denoise, (40, 64), 16, 4), (40, 64))(torch.zeros(1, 4, 40, 64), POINT)
    assert set(seen) == {(1, 4, 16, 16)}


def constant(value: float) -> Gaussian:
    return Gaussian(mean=value, deviation=1e-6)


def test_boxes_get_their_own_answer_and_the_rest_the_background() -> None:
    boxes = [Region(constant(1), (0, 8), (0, 8), soft=2), Region(constant(2), (8, 16), (8, 16), soft=2)]
    made = Views(regions(constant(0), boxes, (16, 16), until=0.0), (16, 16))(torch.zeros(1, 1, 16, 16), POINT)[0, 0]
    assert made[0:6, 0:6] == pytest.approx(torch.ones(6, 6), abs=1e-4)
    assert made[10:, 10:] == pytest.approx(torch.full((6, 6), 2.0), abs=1e-4)
    assert made[10:, :6] == pytest.approx(torch.zeros(6, 6), abs=1e-4)
    assert 0 < made[7, 3] < 1, "the edge of a box is soft"


def test_an_area_has_the_shape_of_its_mask() -> None:
    mask = torch.zeros(8, 8)
    mask[:, 4:] = 1
    box = Region(constant(1), (0, 8), (0, 8), mask=mask)
    made = Views(regions(constant(0), [box], (8, 16), until=0.0), (8, 16))(torch.zeros(1, 1, 8, 16), POINT)[0, 0]
    assert made[:7, 4:7] == pytest.approx(torch.ones(7, 3), abs=1e-4)
    assert made[:, :4].abs().max() < 1e-4


def test_where_boxes_overlap_the_heavier_counts_more() -> None:
    boxes = [Region(constant(0), (0, 8), (0, 16), 1.0), Region(constant(1), (0, 8), (0, 16), 3.0)]
    made = Views(regions(constant(9), boxes, (8, 16), until=0.0), (8, 16))(torch.zeros(1, 1, 8, 16), POINT)
    assert made[0, 0, 3, 8].item() == pytest.approx(0.75, abs=1e-4)


def test_below_a_share_of_the_noise_the_background_decides() -> None:
    asked: list[float] = []

    def box(x: Tensor, point: Point, /) -> Tensor:
        asked.append(point.sigma)
        return torch.ones_like(x)

    views = regions(constant(0), [Region(box, (0, 4), (0, 4))], (8, 8), until=0.3)
    denoise = Views(views, (8, 8), top=10.0)
    latent = torch.zeros(1, 4, 8, 8)
    for sigma in (10.0, 3.1, 2.9, 0.5):
        made = denoise(latent, Point(sigma, 0.0))
        assert (made[0, 0, 1, 1].item() > 0.9) == (sigma > 3)
    assert asked == [10.0, 3.1]


def test_views_that_leave_a_gap_are_refused() -> None:
    with pytest.raises(ValueError, match="leave parts of the latent of 8 x 4 to nobody"):
        Views([View(Gaussian(), (0, 4), (0, 7), torch.ones(4, 7))], (4, 8))
    with pytest.raises(ValueError, match="need to overlap by 1 to 7 cells, not by 8"):
        tiles(Gaussian(), (16, 16), 8, 8)


def test_the_work_can_be_ended_between_windows() -> None:
    looked = 0

    def stop() -> None:
        nonlocal looked
        looked += 1
        if looked == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Views(tiles(Gaussian(), (16, 16), 8, 2), (16, 16), looked=stop)(torch.zeros(1, 4, 16, 16), POINT)
    assert looked == 2
