"""Reliability against an analysis of variance and against halving by halving, and pairs of models by hand."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.stats.reliability import noise_ceiling, reliability, resolvable_pairs


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


# Of a mean over batches


def _draw(seed: int, models: int, batches: int) -> np.ndarray:
    """Values with an effect of models, of batches, and noise."""
    random = np.random.default_rng(seed)
    return random.normal(5, 1, (models, 1)) + random.normal(0, 3, batches) + random.normal(0, 0.5, (models, batches))


def _mean_squares(values: np.ndarray) -> tuple[float, float]:
    """Of models and of residuals: what least squares on indicators of models and batches explains, and what not."""
    models, batches = values.shape
    model, batch = np.divmod(np.arange(values.size), batches)
    of_models, of_batches = np.eye(models)[model], np.eye(batches)[batch]

    def left(design: np.ndarray) -> float:
        return ((values.ravel() - design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]) ** 2).sum()

    both = left(np.hstack([of_models, of_batches]))
    return (left(of_batches) - both) / (models - 1), both / ((models - 1) * (batches - 1))


@pytest.mark.parametrize(("k", "wanted"), [(None, 8 / 9), (1, 4 / 5), (2, 8 / 9), (4, 16 / 17)])
def test_reliability_of_a_case_by_hand(k, wanted):
    """Residuals are all 1/2 in size, MSE 1; means 1.5 and 4.5, MSR 2 * 4.5; the variance of models (9 - 1) / 2."""
    assert reliability(np.array([[1.0, 2.0], [3.0, 6.0]]), k=k) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(("models", "batches"), [(2, 2), (7, 3), (4, 9)])
def test_reliability_is_that_of_a_two_way_analysis_of_variance(models, batches):
    """McGraw & Wong 1996, Table 4: ICC(C,k) = (MSR - MSE) / MSR, ICC(C,1) = (MSR - MSE) / (MSR + (k - 1) MSE)."""
    values = _draw(models, models, batches)
    between, residual = _mean_squares(values)
    assert between > residual
    assert reliability(values) == pytest.approx((between - residual) / between, rel=1e-10)
    one = (between - residual) / (between + (batches - 1) * residual)
    assert reliability(values, k=1) == pytest.approx(one, rel=1e-10)


@pytest.mark.parametrize("k", [1, 2, 30])
def test_reliability_of_k_batches_is_spearmans_and_browns_of_one(k):
    values = _draw(3, 6, 5)
    one = reliability(values, k=1)
    assert reliability(values, k=k) == pytest.approx(k * one / (1 + (k - 1) * one), rel=1e-12)


@pytest.mark.parametrize("k", [None, 1])
def test_how_hard_a_batch_is_does_not_change_reliability(k):
    values = _draw(4, 6, 5)
    harder = values + np.array([0, 100, -7, 0.5, 3])
    assert reliability(harder, k=k) == pytest.approx(reliability(values, k=k), rel=1e-10)


def test_reliability_has_no_unit_and_no_order():
    values = _draw(5, 6, 5)
    shuffled = values[[3, 1, 5, 0, 2, 4]][:, [4, 0, 3, 1, 2]]
    assert reliability(1e-6 * shuffled) == pytest.approx(reliability(values), rel=1e-10)


def test_models_that_differ_by_the_same_on_every_batch_are_told_apart_with_certainty():
    values = np.array([[0.0], [1.0], [3.0]]) + np.array([5.0, 2.0, 8.0, 1.0])
    assert reliability(values) == reliability(values, k=1) == 1


@pytest.mark.parametrize("k", [None, 1, 2, 3, 100])
def test_where_batches_explain_all_differences_between_means_reliability_is_0(k):
    """The estimate of the variance of models is negative; with k above the number of batches it would give above 1."""
    assert reliability(np.array([[1.0, 2.0], [2.0, 1.0], [1.2, 2.1]]), k=k) == 0
    assert reliability(np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]]), k=k) == 0


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (5, 1), (1, 1)])
def test_one_model_or_one_batch_has_no_reliability(shape):
    assert math.isnan(reliability(np.arange(math.prod(shape), dtype=float).reshape(shape)))


@pytest.mark.parametrize("value", [0, 1, 0.1, 1 / 3])
@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (3, 11)])
def test_equal_values_have_no_reliability(value, shape):
    """Rounded, the mean of many times 0.1 need not be 0.1, and a share of what is left is any number."""
    assert math.isnan(reliability(np.full(shape, value, dtype=float)))


def test_models_that_are_equal_on_every_batch_have_no_reliability():
    values = np.random.default_rng(100).random(100)
    assert math.isnan(reliability(np.tile(values, (50, 1))))


def test_a_value_that_is_no_number_is_not_hidden():
    values = _draw(6, 4, 3)
    values[1, 2] = math.nan
    assert math.isnan(reliability(values))
