"""Projected gradient ascent and Auto-PGD against the same steps in numpy, one problem at a time."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from adaptive_sharpness.landscape.ascent import Point, apgd, at, checkpoints, pga
from adaptive_sharpness.landscape.balls import NORMS

SOLVERS = ["rate 0.1", "steepest steps", "apgd"]
BOTH = pytest.mark.parametrize("kind", NORMS)
WEIGHTS = np.array([[1.0, -2.0, 0.0, 0.5], [0.5, 0.25, -3.0, 1.0], [-1.0, 0.7, 0.1, 2.0], [2.0, 1.5, -0.4, -0.2]])
CURVATURE = np.array([[1.0, -2.0, 0.5, 3.0], [0.3, 4.0, -1.0, 0.1], [-5.0, -1.0, -9.0, -2.0], [0.0, 0.1, -0.1, 0.0]])
FREQUENCY = np.array([1.0, 2.0, 5.0, 9.0])  # the last problems are so rough that long steps soon stop to rise
FIRST = {"matrix": (slice(0, 2), (2, 1)), "vector": (slice(2, 3), (1,)), "scalar": (slice(3, 4), ())}


def _split(values: np.ndarray) -> dict[str, torch.Tensor]:
    """[P, 4] as parameters of three shapes."""
    return {n: torch.from_numpy(values[:, where].reshape(-1, *shape)) for n, (where, shape) in FIRST.items()}


def _joined(values: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([values[name].reshape(len(values[name]), -1) for name in FIRST], dim=1)


def _loss(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Four problems, each the loss sum_i (a_i w_i^2 + sin(f w_i + i))."""
    w, shift = _joined(weights), torch.arange(4)
    a, f = torch.from_numpy(CURVATURE)[: len(w)], torch.from_numpy(FREQUENCY)[: len(w), None]
    return (a * w**2 + torch.sin(f * w + shift)).sum(dim=1)


def _value(problem: int) -> Callable[[np.ndarray], float]:
    a, f, w, shift = CURVATURE[problem], FREQUENCY[problem], WEIGHTS[problem], np.arange(4)
    return lambda delta: (a * (w + delta) ** 2 + np.sin(f * (w + delta) + shift)).sum()


def _gradient(problem: int) -> Callable[[np.ndarray], np.ndarray]:
    a, f, w, shift = CURVATURE[problem], FREQUENCY[problem], WEIGHTS[problem], np.arange(4)
    return lambda delta: 2 * a * (w + delta) + f * np.cos(f * (w + delta) + shift)


def _projected(kind: str, delta: np.ndarray, c: np.ndarray, rho: float) -> np.ndarray:
    if kind == "linf":
        return np.minimum(np.maximum(delta, -rho * c), rho * c)
    u = np.divide(delta, c, out=np.zeros_like(delta), where=c > 0)
    length = math.sqrt((u**2).sum())
    return c * u * (rho / length if length > rho else 1)


def _direction(kind: str, gradient: np.ndarray, c: np.ndarray) -> np.ndarray:
    return c * np.sign(gradient) if kind == "linf" else c**2 * gradient / math.sqrt(((c * gradient) ** 2).sum())


def _start(centre: dict[str, torch.Tensor], delta: np.ndarray | None = None) -> Point:
    zero = np.zeros((len(centre["scalar"]), 4))
    return at(_loss, centre, _split(zero if delta is None else delta))


def _solve(solver: Callable, kind: str, rho: float, delta: np.ndarray | None = None, **options) -> Point:
    centre = _split(WEIGHTS)
    ball = NORMS[kind]({name: value.abs() for name, value in centre.items()}, rho)
    return solver(_loss, centre, ball, _start(centre, delta), **options)


def test_a_point_is_the_loss_and_its_gradient_there():
    delta = np.linspace(-1, 1, 16).reshape(4, 4)
    point = _start(_split(WEIGHTS), delta)
    for problem in range(4):
        np.testing.assert_allclose(point.loss[problem], _value(problem)(delta[problem]), rtol=1e-12)
        found, wanted = _joined(point.gradient)[problem], _gradient(problem)(delta[problem])
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert point.step.tolist() == [0] * 4
    last = at(_loss, _split(WEIGHTS), _split(delta), 7, last=True)
    assert torch.equal(last.loss, point.loss)
    assert last.gradient == {}
    assert last.step.tolist() == [7] * 4


def test_a_weight_that_does_not_matter_has_gradient_0():
    centre = {"used": torch.ones(2, 1), "unused": torch.ones(2, 3)}
    zero = {name: torch.zeros_like(value) for name, value in centre.items()}
    point = at(lambda weights: weights["used"].sum(1), centre, zero)
    assert torch.equal(point.gradient["unused"], torch.zeros(2, 3))
    assert torch.equal(point.gradient["used"], torch.ones(2, 1))


def _point(losses: list[float], step: int) -> Point:
    each = torch.tensor(losses, dtype=torch.float64)
    return Point({"w": each[:, None] + 0.5}, each, {"w": -each[:, None]}, torch.full(each.shape, step))


def test_the_better_point_is_taken_problem_by_problem_the_first_at_a_tie_and_no_number_is_never_hidden():
    one, other = [1.0, 2.0, 3.0, math.nan, 5.0, math.inf], [2.0, 1.0, 3.0, 4.0, math.nan, math.nan]
    better = _point(one, 1).or_better(_point(other, 2))
    np.testing.assert_array_equal(better.loss, [2, 2, 3, math.nan, math.nan, math.nan])
    assert better.step.tolist() == [2, 1, 1, 1, 2, 2]
    np.testing.assert_array_equal(better.delta["w"][:3, 0], [2.5, 2.5, 3.5])
    np.testing.assert_array_equal(better.gradient["w"][:3, 0], [-2, -2, -3])


@pytest.mark.parametrize(("one", "other", "steps"), [([1.0, 2.0], [0.0, 1.0], 1), ([1.0, 2.0], [3.0, 4.0], 2)])
def test_where_one_point_is_better_throughout_it_is_all_that_is_taken(one, other, steps):
    better = _point(one, 1).or_better(_point(other, 2))
    assert better.loss.tolist() == [max(pair) for pair in zip(one, other, strict=True)]
    assert better.step.tolist() == [steps] * 2


def _pga_by_hand(problem: int, kind: str, rho: float, steps: int, rate: float | None, delta: np.ndarray) -> list:
    """(loss, delta) after each step."""
    c, met = abs(WEIGHTS[problem]), []
    for _ in range(steps):
        gradient = _gradient(problem)(delta)
        uphill = c**2 * gradient if kind == "l2" else gradient  # the coordinates in which the projection is exact
        move = 2.5 * rho / steps * _direction(kind, gradient, c) if rate is None else rate * uphill
        delta = _projected(kind, delta + move, c, rho)
        met.append((_value(problem)(delta), delta))
    return met


@BOTH
def test_gradient_steps_reach_the_maximum_of_a_linear_loss_whose_weights_differ_in_scale(kind):
    """Of w_1 + w_2 at (1, 10) in a ball of 0.5: 0.5 (1 + 10), or 0.5 sqrt(1 + 100)."""
    centre = {"w": torch.tensor([[1.0, 10.0]], dtype=torch.float64)}

    def total(weights):
        return weights["w"].sum(1)

    start = at(total, centre, {"w": torch.zeros(1, 2, dtype=torch.float64)})
    best = pga(total, centre, NORMS[kind](centre, 0.5), start, steps=50, rate=0.1)
    assert best.loss.item() - 11 == pytest.approx(0.5 * (101**0.5 if kind == "l2" else 11), rel=1e-12)


@BOTH
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.1, None])
@pytest.mark.parametrize("shift", [0.0, 0.02], ids=["from the origin", "from elsewhere"])
def test_every_problem_takes_the_gradient_steps_that_it_takes_by_hand(kind, steps, rate, shift):
    origin = shift * WEIGHTS
    best = _solve(pga, kind, 0.3, origin, steps=steps, rate=rate)
    for problem in range(4):
        met = _pga_by_hand(problem, kind, 0.3, steps, rate, origin[problem])
        wanted = int(np.argmax([loss for loss, _ in met]))
        np.testing.assert_allclose(best.loss[problem], met[wanted][0], rtol=1e-11)
        np.testing.assert_allclose(_joined(best.delta)[problem], met[wanted][1], rtol=1e-9, atol=1e-13)
        tied = np.isclose(met[wanted][0], [loss for loss, _ in met], rtol=1e-11, atol=0)
        assert tied[best.step[problem] - 1]


def _hill(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Its top is at 1; the gradient is 20 (1 - w)."""
    return -10 * (weights["w"] - 1).square().sum(dim=1)


def _climb(steps: int, rate: float) -> tuple[float, float, int]:
    """From 0.9, with bounds 0.45 and 1.35: base loss, best loss, and the best step."""
    centre = {"w": torch.tensor([[0.9]], dtype=torch.float64)}
    start = at(_hill, centre, {"w": torch.zeros_like(centre["w"])})
    best = pga(_hill, centre, NORMS["linf"](centre, 0.5), start, steps=steps, rate=rate)
    return start.loss.item(), best.loss.item(), best.step.item()


def test_the_best_step_of_pga_counts_and_not_the_last():
    # 0.9 goes to 0.9 + 0.09 * 2 = 1.08, then over the top again to 1.08 - 0.09 * 1.6 = 0.936, 1.0512, 0.95904, ...
    assert _climb(1, 0.09)[1:] == (pytest.approx(-10 * 0.08**2), 1)
    assert _climb(2, 0.09)[1:] == (pytest.approx(-10 * 0.064**2), 2)
    # With a rate of 0.14 each step overshoots by more than the one before, so the first is the best.
    assert _climb(2, 0.14)[1:] == (pytest.approx(-10 * 0.18**2), 1)


def test_the_start_of_pga_is_no_candidate_so_that_all_steps_may_be_worse():
    base, best, step = _climb(3, 1e6)  # 0.9 is thrown to the bounds 1.35 and 0.45, and never near the top
    assert base == pytest.approx(-10 * 0.1**2)
    assert (best, step) == (pytest.approx(-10 * 0.35**2), 1)


def _apgd_by_hand(problem: int, kind: str, rho: float, steps: int, x: np.ndarray, looks: list) -> tuple:
    """Algorithm 1 of Croce & Hein 2020, from its text, alpha = 0.75; the best loss, where, when, and the halvings.

    After a halving the next step has no momentum: the point before x_max on its way is no part of the new start.
    """
    f, slope, c = _value(problem), _gradient(problem), abs(WEIGHTS[problem])
    eta, xs, fs, halvings = 2 * rho, [x], [f(x)], []
    x_max, f_max, k_max = x, fs[0], 0
    eta_at_look, f_max_at_look, rose = eta, f_max, []
    for k in range(1, steps + 1):
        x, before = xs[-1], xs[-2] if len(xs) > 1 else None
        z = _projected(kind, x + eta * _direction(kind, slope(x), c), c, rho)
        ahead = z if before is None else _projected(kind, x + 0.75 * (z - x) + 0.25 * (x - before), c, rho)
        rose.append(f(ahead) > f(x))
        xs.append(ahead)
        if f(ahead) > f_max:
            x_max, f_max, k_max = ahead, f(ahead), k
        if k in looks:
            first = sum(rose) < 0.75 * len(rose)
            second = eta_at_look == eta and f_max_at_look == f_max
            eta_at_look, f_max_at_look, rose = eta, f_max, []
            if first or second:
                eta, xs = eta / 2, [x_max, x_max]
                halvings.append(k)
    return f_max, x_max, k_max, halvings


TWENTY = [5, 9, 12, 14, 16, 18, 19, 20]
HUNDRED = [22, 41, 57, 70, 80, 87, 93, 99]
LOOKS = {1: [1], 3: [1, 2, 3], 20: TWENTY, 40: [9, 17, 23, 28, 32, 35, 38, 40], 100: HUNDRED}


@BOTH
@pytest.mark.parametrize(
    ("rho", "steps"),  # so many long steps on rough problems would turn a difference in the last bit into another path
    [(rho, steps) for rho in (0.02, 0.3, 1.0) for steps in LOOKS if (rho, steps) != (1.0, 100)],
)
@pytest.mark.parametrize("shift", [0.0, 0.01], ids=["from the origin", "from elsewhere"])
def test_every_problem_takes_the_steps_of_auto_pgd_that_it_takes_alone(kind, rho, steps, shift):
    origin, wanted = shift * WEIGHTS, []
    best = _solve(apgd, kind, rho, origin, steps=steps)
    for problem in range(4):
        wanted.append(_apgd_by_hand(problem, kind, rho, steps, origin[problem], LOOKS[steps]))
        loss, delta, step, _ = wanted[-1]
        np.testing.assert_allclose(best.loss[problem], loss, rtol=1e-9)
        np.testing.assert_allclose(_joined(best.delta)[problem], delta, rtol=1e-6, atol=1e-10)
        here = _value(problem)(_joined(best.delta)[problem].numpy())  # the point returned has the loss returned
        np.testing.assert_allclose(best.loss[problem], here, rtol=1e-12)
        if kind == "l2" or steps == 1:  # where steps tie but for rounding, either may count
            assert best.step[problem] == step or math.isclose(here, loss, rel_tol=1e-12)
    if rho == 1 and steps == 20:
        assert len({tuple(halvings) for *_, halvings in wanted}) == 4  # or the step sizes need not be their own


def _valley(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    return weights["w"].square().sum(dim=1)


def test_the_first_step_of_auto_pgd_is_2_rho_long_and_its_start_is_a_candidate():
    centre = {"w": torch.tensor([[1.0]], dtype=torch.float64)}
    ball = NORMS["linf"]({"w": torch.ones(1, 1).double()}, 0.5)
    start = at(_valley, centre, {"w": torch.tensor([[-0.5]]).double()})  # from 0.5 to 1.5 takes 2 rho
    assert apgd(_valley, centre, ball, start, steps=1).loss.item() == 1.5**2
    top = {"w": torch.ones(1, 1).double()}
    start = at(_hill, top, {"w": torch.zeros(1, 1).double()})
    best = apgd(_hill, top, ball, start, steps=5)
    assert (best.loss.item(), best.step.item()) == (0, 0)


def test_auto_pgd_reaches_a_top_inside_the_ball_where_steps_of_one_size_cannot():
    centre = {"w": torch.tensor([[0.9], [1.2]], dtype=torch.float64)}
    start = at(_hill, centre, {"w": torch.zeros_like(centre["w"])})
    best = apgd(_hill, centre, NORMS["linf"](centre, 0.5), start, steps=200)
    assert (best.loss > -1e-3).all()
    assert (start.loss < -0.09).all()


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [(1, [1]), (2, [1, 2]), (10, [3, 5, 6, 7, 8, 9, 10]), (20, TWENTY), (100, HUNDRED)],
)
def test_auto_pgd_looks_back_where_croce_and_hein_say(steps, wanted):
    assert checkpoints(steps) == wanted


@pytest.mark.parametrize("steps", range(1, 60))
def test_checkpoints_are_the_published_shares_of_the_steps_rounded_up(steps):
    shares = (22, 41, 57, 70, 80, 87, 93, 99)
    assert checkpoints(steps) == sorted({math.ceil(round(share * steps / 100, 9)) for share in shares})


@BOTH
@pytest.mark.parametrize(("solver", "options"), [(pga, {"rate": 0.1}), (pga, {"rate": None}), (apgd, {})], ids=SOLVERS)
def test_problems_do_not_touch_each_other(kind, solver, options):
    together = _solve(solver, kind, 0.3, steps=20, **options)
    centre = _split(WEIGHTS[:1])  # _loss takes the first problems
    ball = NORMS[kind]({name: value.abs() for name, value in centre.items()}, 0.3)
    alone = solver(_loss, centre, ball, _start(centre), steps=20, **options)
    torch.testing.assert_close(together.loss[:1], alone.loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(_joined(together.delta)[:1], _joined(alone.delta), rtol=1e-12, atol=0)


@BOTH
@pytest.mark.parametrize(("solver", "options"), [(pga, {"rate": 0.1}), (pga, {"rate": None}), (apgd, {})], ids=SOLVERS)
def test_nothing_given_is_changed_no_graph_is_kept_and_weights_of_scale_0_stay(kind, solver, options):
    centre = _split(WEIGHTS.copy())
    scale = {name: value.abs() for name, value in centre.items()}
    start = _start(centre)
    gradient = _joined(start.gradient).clone()
    best = solver(_loss, centre, NORMS[kind](scale, 0.3), start, steps=10, **options)
    assert np.array_equal(_joined(centre), WEIGHTS)
    assert np.array_equal(_joined(scale), abs(WEIGHTS))
    assert not _joined(start.delta).any()
    assert torch.equal(_joined(start.gradient), gradient)
    assert not any(value.requires_grad for value in (*centre.values(), *best.delta.values(), best.loss))
    assert all(value.grad is None for value in centre.values())
    assert best.delta["vector"][0].item() == 0
    assert best.delta["vector"][1].item() != 0


@BOTH
@pytest.mark.parametrize(("solver", "options"), [(pga, {"rate": 0.1}), (pga, {"rate": None}), (apgd, {})], ids=SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 8])
def test_losses_that_are_not_numbers_are_not_hidden_and_spoil_no_other_problem(kind, solver, options, steps):
    def broken(weights):
        moved = (_joined(weights)[1] - torch.from_numpy(WEIGHTS[1])).abs().sum() > 0
        return _loss(weights) + torch.tensor([0.0, math.nan if moved else 0, 0, 0])

    centre = _split(WEIGHTS)
    ball = NORMS[kind]({name: value.abs() for name, value in centre.items()}, 0.3)
    best = solver(broken, centre, ball, _start(centre), steps=steps, **options)
    others = _solve(solver, kind, 0.3, steps=steps, **options).loss
    assert best.loss.isnan().tolist() == [False, True, False, False]
    assert torch.equal(best.loss[[0, 2, 3]], others[[0, 2, 3]])


@BOTH
@pytest.mark.parametrize(("solver", "options"), [(pga, {"rate": 0.1}), (pga, {"rate": None}), (apgd, {})], ids=SOLVERS)
def test_a_gradient_that_is_not_a_number_is_not_hidden(kind, solver, options):
    def root(weights):  # the square root's slope at 0 is infinite, that of what is below it is 0
        return (weights["w"] - 1).square().sum(dim=1).sqrt()

    centre = {"w": torch.ones(1, 2).double()}
    start = at(root, centre, {"w": torch.zeros(1, 2).double()})
    assert start.loss.item() == 0
    best = solver(root, centre, NORMS[kind](centre, 0.1), start, steps=3, **options)
    assert best.loss.isnan().all()


def test_ascent_needs_no_gradient_mode_of_its_caller():
    wanted = _solve(apgd, "linf", 0.3, steps=5).loss
    with torch.no_grad():
        assert torch.equal(_solve(apgd, "linf", 0.3, steps=5).loss, wanted)
