"""Projected gradient ascent against the same steps written out by hand."""

import numpy as np
import pytest
import torch

from adaptive_sharpness.ascent import pga
from adaptive_sharpness.balls import LInf, scale

CURVATURE = torch.tensor([[1.0, -2.0, 0.5], [0.3, 4.0, -1.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.25, -3.0]], dtype=torch.float64)


def _loss(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Two problems, each the loss sum_i (a_i w_i^2 + sin w_i)."""
    w = weights["w"]
    return (CURVATURE[: len(w)] * w**2 + w.sin()).sum(dim=1)


def _by_hand(problem: int, rho: float, steps: int, rate: float) -> tuple[float, list[float]]:
    """The loss at w and after each step."""
    a, w = CURVATURE[problem].numpy(), WEIGHTS[problem].numpy()
    delta, losses = np.zeros(3), []
    for _ in range(steps):
        at = w + delta
        delta = np.clip(delta + rate * (2 * a * at + np.cos(at)), -rho * abs(w), rho * abs(w))
        losses.append((a * (w + delta) ** 2 + np.sin(w + delta)).sum())
    return (a * w**2 + np.sin(w)).sum(), losses


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("rate", [0.001, 0.1, 10.0])
def test_every_problem_takes_the_steps_that_it_takes_by_hand(steps, rate):
    centre = {"w": WEIGHTS}
    base, best = pga(_loss, centre, LInf(scale(centre, adaptive=True), 0.3), steps=steps, rate=rate)
    for problem in range(2):
        wanted_base, met = _by_hand(problem, 0.3, steps, rate)
        np.testing.assert_allclose(base[problem], wanted_base, rtol=1e-13)
        np.testing.assert_allclose(best[problem], max(met), rtol=1e-13)


def _hill(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Its top is at 1; the gradient is 20 (1 - w)."""
    return -10 * (weights["w"] - 1).square().sum(dim=1)


def _climb(steps: int, rate: float, rho: float) -> tuple[float, float]:
    centre = {"w": torch.tensor([[0.9]], dtype=torch.float64)}
    base, best = pga(_hill, centre, LInf(scale(centre, adaptive=True), rho), steps=steps, rate=rate)
    return base.item(), best.item()


def test_the_best_step_counts_and_not_the_last():
    # 0.9 goes to 0.9 + 0.09 * 2 = 1.08, then over the top again to 1.08 - 0.09 * 1.6 = 0.936, 1.0512, 0.95904, ...
    assert _climb(1, 0.09, 0.5)[1] == pytest.approx(-10 * 0.08**2)
    assert _climb(2, 0.09, 0.5)[1] == pytest.approx(-10 * 0.064**2)
    # With a rate of 0.14 each step overshoots by more than the one before, so the first is the best.
    assert _climb(1, 0.14, 0.5)[1] == pytest.approx(-10 * 0.18**2)
    assert _climb(2, 0.14, 0.5)[1] == pytest.approx(-10 * 0.18**2)


def test_the_centre_is_no_candidate_so_that_all_steps_may_be_worse():
    base, best = _climb(3, 1e6, 0.5)  # 0.9 is thrown to the bounds 1.35 and 0.45, and never near the top
    assert base == pytest.approx(-10 * 0.1**2)
    assert best == pytest.approx(-10 * 0.35**2)


def test_the_centre_is_left_as_it_is_and_no_graph_is_kept():
    centre = {"w": WEIGHTS.clone()}
    base, best = pga(_loss, centre, LInf(scale(centre, adaptive=True), 0.3), steps=3, rate=0.1)
    assert torch.equal(centre["w"], WEIGHTS)
    assert not base.requires_grad
    assert not best.requires_grad


def test_losses_that_are_not_numbers_are_not_hidden():
    def broken(weights):
        return _loss(weights) + (weights["w"] != WEIGHTS).any(dim=1) * float("nan")

    centre = {"w": WEIGHTS}
    _, best = pga(broken, centre, LInf(scale(centre, adaptive=True), 0.3), steps=2, rate=0.1)
    assert best.isnan().all()
