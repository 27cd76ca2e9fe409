"""Sign errors against plain loops over environments, their null, their weights, and why there may be none."""

import itertools
import math

import numpy as np
import pytest
from made_up_tables import KINDS, table
from scipy import stats as scipy_stats

from adaptive_sharpness.stats import granulated, sign_error

SMALL = {"rate": [1, 1, 2, 2], "width": [8, 16, 8, 16]}


def _environments(mu, g, axes, weight, least_share=0.12):
    """The sign error of each unordered pair of settings that differ in one axis, and how many are left out."""
    models: dict[tuple, list[int]] = {}
    for place, levels in enumerate(zip(*axes.values(), strict=True)):
        models.setdefault(levels, []).append(place)
    errors, left_out = [], 0
    for one, other in itertools.combinations(models, 2):
        if sum(a != b for a, b in zip(one, other, strict=True)) != 1:
            continue
        pairs = list(itertools.product(models[one], models[other]))
        weights = [weight(i, j) for i, j in pairs]
        signs = [np.sign(mu[i] - mu[j]) * np.sign(g[i] - g[j]) for i, j in pairs]
        total, squares = sum(weights), sum(w * w for w in weights)
        if total == 0 or total**2 / squares < least_share * len(pairs) * (1 - 1e-9):
            left_out += 1
            continue
        errors.append(sum(w * (1 - sign) / 2 for w, sign in zip(weights, signs, strict=True)) / total)
    return errors, left_out


def _same(found, errors, left_out):
    assert found.environments == 2 * len(errors)
    assert found.left_out == 2 * left_out
    assert found.statistic == pytest.approx(np.mean(errors), abs=1e-12)
    assert found.maximum == pytest.approx(max(errors), abs=1e-12)
    assert found.percentile_90 == pytest.approx(np.percentile(errors + errors, 90), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_sign_errors_are_those_of_plain_loops(kind):
    mu, g, axes = table(kind, 0)
    _same(sign_error(mu, g, axes, permutations=0), *_environments(mu, g, axes, lambda i, j: 1))


def test_error_rates_are_weighted_by_hoeffdings_bound():
    mu, g, axes = table("repeats", 1)
    g = scipy_stats.norm.cdf(g) / 2

    def weight(i: int, j: int) -> float:
        confidence = max(0, 1 - 2 * math.exp(-2 * 400 * ((g[i] - g[j]) / 2) ** 2)) ** 2
        return max(0, confidence - 0.5)

    errors, left_out = _environments(mu, g, axes, weight)
    assert errors
    assert left_out
    _same(sign_error(mu, g, axes, test_size=400, permutations=0), errors, left_out)


def test_losses_are_weighted_by_the_paired_standard_error():
    mu, g, axes = table("repeats", 2)
    rng = np.random.default_rng(0)
    losses = g[:, None] + 2 * rng.normal(size=(len(g), 30)) + 5 * rng.normal(size=30)
    g = losses.mean(axis=1)

    def weight(i: int, j: int) -> float:
        p = scipy_stats.ttest_rel(losses[i], losses[j]).statistic
        return max(0, (1 - 2 * scipy_stats.norm.sf(abs(p))) ** 2 - 0.5)

    errors, left_out = _environments(mu, g, axes, weight, 0.5)
    assert errors
    assert left_out
    _same(sign_error(mu, g, axes, losses=losses, least_share=0.5, permutations=0), errors, left_out)


def test_each_axis_has_its_own_environments():
    mu, g, axes = table("full", 3)
    found = sign_error(mu, g, axes, permutations=0)
    for axis, psi in granulated(mu, g, axes, permutations=0).by_axis.items():
        # Cells of one axis have as many pairs each: without ties psi is 1 - 2 x their mean.
        assert found.by_axis[axis].statistic == pytest.approx((1 - psi.statistic) / 2, abs=1e-12)
    assert sum(each.environments for each in found.by_axis.values()) == found.environments


def test_an_interval_of_pairs_without_repeats_is_that_of_their_psi():
    """Each of two axes of two levels has as many pairs as cells."""
    axes = {"rate": np.repeat([0, 1], 8), "width": np.tile([0, 1], 8), "depth": np.tile(np.repeat(range(4), 2), 2)}
    mu, g = np.random.default_rng(1).normal(size=(2, 16))
    found, psi = (each(mu, g, axes, permutations=0).by_axis["rate"] for each in (sign_error, granulated))
    low, high = psi.confidence_interval()
    assert found.confidence_interval() == pytest.approx(((1 - high) / 2, (1 - low) / 2), abs=1e-12)


def test_the_null_is_that_of_all_exchanges_of_settings():
    mu, g = np.array([1.0, 2, 3, 4, 2.5, 0.5]), np.array([1.0, 3, 2, 4, 5, 6])
    axes = {"rate": [1, 1, 1, 2, 2, 2], "width": [1, 2, 3] * 2}
    found = sign_error(mu, g, axes, permutations=3000)
    orders = itertools.permutations(range(6))
    drawn = [sign_error(mu[list(order)], g, axes, permutations=0) for order in orders]
    means, maxima = np.array([(each.statistic, each.maximum) for each in drawn]).T
    assert found.pvalue == pytest.approx(np.mean(np.abs(means - 0.5) >= abs(found.statistic - 0.5) - 1e-9), abs=0.04)
    assert found.maximum_expected == pytest.approx(maxima.mean(), abs=0.03)
    assert found.maximum_pvalue == pytest.approx(np.mean(maxima <= found.maximum + 1e-9), abs=0.04)
    wanted = np.mean([each.percentile_90 for each in drawn])
    assert found.percentile_90_expected == pytest.approx(wanted, abs=0.03)


def test_repeats_stay_with_their_setting_in_every_exchange():
    """All repeats of a setting agree: so do those of an exchanged setting, and no error lies between 0 and 1."""
    axes = {"rate": [3, 1, 2, 1, 2, 3]}
    found = sign_error([3, 1, 2, 1, 2, 3], [1, 2, 3, 2, 3, 1], axes, permutations=99)
    assert found.statistic == pytest.approx(2 / 3)
    assert found.maximum_expected in [share / 99 for share in range(100)]


def test_half_an_error_is_made_where_a_measure_ties():
    found = sign_error([1, 1, 1, 1], [1, 2, 4, 3], SMALL, permutations=99)
    assert (found.statistic, found.maximum, found.pvalue) == (0.5, 0.5, 1)


@pytest.mark.parametrize(
    ("mu", "options", "reason"),
    [
        ([1, 2, 3, 4], {"test_size": 1}, "the order of g is too little known in all 8 environments"),
        ([math.nan] * 4, {}, "no two settings differ in one axis alone"),
    ],
)
def test_where_there_is_no_sign_error_there_is_a_reason(mu, options, reason):
    found = sign_error(mu, [0.1, 0.2, 0.3, 0.4], SMALL, **options)
    assert math.isnan(found.statistic)
    assert math.isnan(found.maximum)
    assert found.pvalue is found.maximum_pvalue is None
    assert found.reason == reason
    assert np.isnan(found.confidence_interval()).all()


def test_settings_are_exchanged_with_those_that_have_as_many_repeats():
    found = sign_error(np.arange(6.0), np.arange(6.0), {"rate": np.repeat([1, 2, 3], [1, 2, 3])})
    assert found.statistic == pytest.approx(0, abs=1e-12)
    assert found.pvalue is found.maximum_pvalue is None
    assert math.isnan(found.maximum_expected)
    assert found.reason == "no two settings can be exchanged: each has its own number of repeats"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"permutations": -1}, "permutations: got -1, wanted at least 0"),
        ({"least_share": 1.5}, "least_share: got 1.5, wanted 0 to 1"),
        ({"test_size": 0}, "test_size: got 0, wanted at least 1"),
        ({"test_size": 9, "losses": np.ones((4, 9))}, "weights: got test_size and losses, wanted one of them or none"),
        (
            {"losses": np.ones((3, 9))},
            "losses: got an array of shape (3, 9), wanted one row for each of 4 models, of at least 2 examples",
        ),
        (
            {"losses": np.full((4, 9), math.nan)},
            "losses: got some that are not finite, of models whose mu and g are",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match="got") as caught:
        sign_error([1, 2, 3, 4], [1, 2, 3, 4], SMALL, **options)
    assert str(caught.value) == message
