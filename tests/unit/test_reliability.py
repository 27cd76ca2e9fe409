"""Reliability of test losses against halving by halving, pairs by hand, and losses as training writes them."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from scipy import stats

from adaptive_sharpness.pool import Pool
from adaptive_sharpness.reliability import noise_ceiling, read_test_losses, reliability, resolvable_pairs


def _losses(models: int, examples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(models, 1)) + rng.normal(0, 3, examples) + rng.normal(0, 2, (models, examples))


def test_reliability_is_the_mean_over_all_halvings():
    """Split-half reliability 4 cov(a, b) / var(a + b), for each of the 20 halvings of 6 examples."""
    losses = _losses(9, 6)
    found = []
    for half in combinations(range(6), 3):
        a, b = losses[:, half].sum(axis=1), np.delete(losses, half, axis=1).sum(axis=1)
        found.append(4 * np.cov(a, b)[0, 1] / (a + b).var(ddof=1))
    assert 0 < np.mean(found) < 1
    assert reliability(losses) == pytest.approx(np.mean(found), rel=1e-12)


def test_reliability_is_that_of_random_halvings_stepped_up_by_spearman_and_brown():
    """2 r / (1 + r) of 200 halvings of 1,000 examples; their deviation among each other is what chance adds."""
    losses, rng, found = _losses(50, 1000, seed=1) * 0.2, np.random.default_rng(0), []
    for _ in range(200):
        order = rng.permutation(1000)
        r = np.corrcoef(losses[:, order[:500]].mean(axis=1), losses[:, order[500:]].mean(axis=1))[0, 1]
        found.append(2 * r / (1 + r))
    assert reliability(losses) == pytest.approx(np.mean(found), abs=0.001)


def test_reliability_is_the_squared_correlation_with_the_truth():
    """Deviations of truth 1 and of the mean's noise 5 / sqrt(25): reliability 1/2."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    losses = truth[:, None] + rng.normal(0, 5, (20_000, 25)) + rng.normal(0, 9, 25)
    assert reliability(losses) == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(truth, losses.mean(axis=1))[0, 1] ** 2 == pytest.approx(reliability(losses), abs=0.015)


def test_pairs_of_a_case_by_hand():
    """Differences of the first two are 1, 1, 1, 3: mean 1.5, deviation 1, error 1/2.

    Those of the third from the first are -2, 1, 0, 5: mean 1, error 1.47; from the second -3, 0, -1, 2: mean -1/2.
    """
    first, second, third = np.zeros(4), np.array([1, 1, 1, 3.0]), np.array([-2, 1, 0, 5.0])
    assert resolvable_pairs(np.array([first, second])) == 1
    assert resolvable_pairs(np.array([first, second, third])) == pytest.approx(1 / 3)


def test_the_bound_is_1_96_errors():
    """Differences 0 and 2: mean 1, error 1; moved by 0.95 and 0.97 they are 1.95 and 1.97 errors from 0."""
    for shift, wanted in ((0.95, 0), (0.97, 1)):
        assert resolvable_pairs(np.array([[0.0, 0.0], [shift, 2 + shift]])) == wanted


@pytest.mark.parametrize("examples", [3, 40])
def test_pairs_are_those_of_paired_t_statistics(examples):
    losses = _losses(12, examples)
    t = [stats.ttest_rel(*losses[list(pair)]).statistic for pair in combinations(range(12), 2)]
    share = resolvable_pairs(losses)
    assert 0 < share < 1
    assert share == pytest.approx((np.abs(t) > 1.959963984540054).mean(), rel=1e-14)


def test_equal_models_are_not_resolved_and_a_constant_difference_is():
    losses = _losses(1, 30)
    assert resolvable_pairs(np.vstack([losses, losses])) == 0
    for difference in (0.1, 1e-6):
        assert resolvable_pairs(np.vstack([losses, losses + difference])) == 1


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (5, 1), (5, 0)])
def test_one_model_or_one_example_has_no_pairs(shape):
    assert math.isnan(resolvable_pairs(np.ones(shape)))


@pytest.mark.parametrize(("x", "y", "wanted"), [(1, 1, 1), (0, 0.9, 0), (0.5, 0.5, 1 / 3), (1, 0.5, 1 / 2)])
def test_the_noise_ceiling_of_angles_that_are_known(x, y, wanted):
    """asin of 1/2 is pi/6, of sqrt(1/2) pi/4."""
    assert noise_ceiling(x, y) == noise_ceiling(y, x) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(("x", "y"), [(math.nan, 0.5), (0.5, math.nan)])
def test_without_a_reliability_there_is_no_ceiling(x, y):
    assert math.isnan(noise_ceiling(x, y))


def test_the_noise_ceiling_is_reached_by_a_perfect_predictor():
    """One truth, seen twice with reliabilities 1/2 and 4/5."""
    rng = np.random.default_rng(0)
    truth, *noise = rng.normal(size=(3, 20_000))
    tau = stats.kendalltau(truth + noise[0], truth + noise[1] / 2).statistic
    assert noise_ceiling(0.5, 0.8) == pytest.approx(tau, abs=0.01)


# Files


def test_shards_of_a_pool_come_together(tmp_path):
    shards = []
    for number, (architecture, seeds) in enumerate([("fcnn", [2, 3]), ("gat", [2]), ("fcnn", [0])]):
        path = tmp_path / f"{number}.safetensors"
        losses = np.array(seeds)[:, None] + np.array([0.25, 0.5])
        save_file({"seeds": np.array(seeds), "test_losses": losses}, path)
        shards.append({"protocol": "report", "architecture": architecture, "seeds": "x", "path": str(path)})
    found = read_test_losses(shards)
    assert list(found) == [("report", "fcnn"), ("report", "gat")]
    assert found["report", "fcnn"].index.tolist() == [2, 3, 0]
    assert found["report", "fcnn"].loc[3].tolist() == [3.25, 3.5]
    assert found["report", "gat"].to_numpy().tolist() == [[2.25, 2.5]]


def test_what_training_writes_is_read(tmp_path):
    files = {name: str(tmp_path / name) for name in ("checkpoint", "table", "test_losses")}
    losses = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=torch.float64)
    states = {"weight": torch.zeros(2, 1)}
    Pool(states, [{"seed": 7}, {"seed": 8}], losses).save(**files, made_from={}, provenance={})
    found = read_test_losses([{"protocol": "report", "architecture": "fcnn", "path": files["test_losses"]}])
    assert found["report", "fcnn"].loc[8].tolist() == losses[1].tolist()
