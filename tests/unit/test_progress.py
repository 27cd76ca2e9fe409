"""What is told while measuring, by a bar and by a callback, and what an interrupt leaves."""

import math
import re
from functools import partial

import pytest
import torch
from test_zoo import Interrupted, assert_same, network_and_data, surroundings
from torch import Tensor, nn
from torch.nn import functional
from zoo import mlp, rows, seeded

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.measures import Measured

MEASURES = {
    "worst_case": partial(worst_case, rho=0.05, steps=2, keep_delta=True),
    "average_case": partial(average_case, rho=0.05, samples=2),
    "hessian": partial(hessian, vectors=2, eigenvalues=2, eigenvectors=True, density=2, perturb=lambda n: "bias" in n),
}
SHAPE = 2, 3


@pytest.fixture(params=MEASURES)
def measure(request):
    return MEASURES[request.param]


def _case() -> tuple[list[nn.Module], list]:
    """Two models, and three batches, the second of which differs in shape."""
    with seeded():
        models = [mlp().double().eval() for _ in range(SHAPE[0])]
        return models, [(x.double(), y) for x, y in (rows(count=count) for count in (4, 5, 4))]


def _user(models: list[nn.Module], batches: list) -> list[dict]:
    """All that must be left as it was."""
    return [network_and_data(model, batches) for model in models] + [surroundings()]


def _assert_same(before: list[dict], after: list[dict]) -> None:
    for one, other in zip(before, after, strict=True):
        assert_same(one, other)


def _tensors(found: Measured) -> dict[str, Tensor]:
    """All that a result holds, by name, [models, batches, ...]."""
    more = {"eigenvalues": getattr(found, "eigenvalues", None), "density": getattr(found, "density", None)}
    flat = {**found.quantities, **found.diagnostics(), **(getattr(found, "errors", None) or {})}
    for name in ("delta", "eigenvectors"):
        flat |= {f"{name}.{key}": value for key, value in (getattr(found, name, None) or {}).items()}
    if more["density"] is not None:
        flat |= {"nodes": more["density"].nodes, "weights": more["density"].weights, "values": more["eigenvalues"]}
    return flat


def _equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num())


@pytest.mark.parametrize("stacked", [1, 4])
@pytest.mark.filterwarnings("error")
def test_a_bar_is_written_to_stderr_and_changes_no_result(measure, stacked, capfd):
    models, batches = _case()
    how = {} if measure.func is hessian else {"stacked": stacked}
    silent = measure(models, functional.cross_entropy, batches, **how)
    assert capfd.readouterr() == ("", "")
    told = measure(models, functional.cross_entropy, batches, progress=True, **how)
    out, err = capfd.readouterr()
    assert out == ""
    assert "0/6" in err
    assert re.search(r"100%.* 6/6 .*batch", err.splitlines()[-1])
    silent, told = _tensors(silent), _tensors(told)
    assert silent.keys() == told.keys()
    assert all(_equal(told[name], value) for name, value in silent.items())


def test_of_the_whole_data_there_is_one_step_a_model(capfd):
    models, batches = _case()
    hessian(models, functional.cross_entropy, batches, whole=True, progress=True, vectors=1)
    assert "2/2" in capfd.readouterr().err


@pytest.mark.parametrize("stacked", [1, 4])
def test_a_callback_is_told_of_each_model_and_batch_once_and_of_the_numbers_found(measure, stacked):
    told = {}

    def callback(model: int, batch: int, numbers: dict[str, float]) -> None:
        assert (model, batch) not in told
        assert all(type(value) is float for value in numbers.values())
        told[model, batch] = numbers

    models, batches = _case()
    how = {} if measure.func is hessian else {"stacked": stacked}
    found = measure(models, functional.cross_entropy, batches, callback=callback, **how)
    silent = measure(models, functional.cross_entropy, batches, **how)
    assert all(_equal(value, _tensors(silent)[name]) for name, value in _tensors(found).items())
    assert told.keys() == {(model, batch) for model in range(SHAPE[0]) for batch in range(SHAPE[1])}
    known = {**found.quantities, **found.diagnostics()}
    if measure.func is hessian:
        known["error"] = found.trace_error
        wanted = {"base_loss", "trace", "error", "lambda_max", "lambda_2"}
    else:
        wanted = {"worst_case": {"base_loss", "max_loss", "first_order", "last_improvement"}}.get(
            measure.func.__name__, {"per_batch", "base_loss", "max_loss"}
        )
        known["per_batch"] = found.per_batch
    for (model, batch), numbers in told.items():
        assert numbers.keys() == wanted
        assert all(value == known[name][model, batch].item() for name, value in numbers.items())


class _Stop:
    """A callback that interrupts at one of its calls, and keeps what it is told."""

    def __init__(self, at: int, error: type[BaseException] = KeyboardInterrupt):
        self._at, self._error, self.told = at, error, []

    def __call__(self, model: int, batch: int, _) -> None:
        self.told.append((model, batch))
        if len(self.told) == self._at:
            raise self._error("at this call")


def _assert_finished(found: Measured, whole: Measured, finished: list[tuple[int, int]]) -> None:
    """What is finished is what it is without an interrupt, to the bit; all else is nan."""
    assert found.per_batch.shape == SHAPE
    mask = torch.zeros(SHAPE, dtype=torch.bool)
    for place in finished:
        mask[place] = True
    wanted = _tensors(whole)
    for name, value in _tensors(found).items():
        assert _equal(value[mask], wanted[name][mask]), name
        assert value[~mask].isnan().all(), name


@pytest.mark.parametrize("at", [1, 2, 5, 6])
def test_an_interrupt_from_the_callback_leaves_what_is_finished(measure, at):
    models, batches = _case()
    before = _user(models, batches)
    whole, stop = measure(models, functional.cross_entropy, batches), _Stop(at)
    with pytest.warns(UserWarning, match=r"^interrupted: the values of what is not finished are nan$") as seen:
        found = measure(models, functional.cross_entropy, batches, progress=True, callback=stop)
    assert [warning.filename for warning in seen] == [__file__]
    assert len(stop.told) == at
    _assert_finished(found, whole, stop.told)
    _assert_same(before, _user(models, batches))
    finished = [[value for value in row if not math.isnan(value)] for row in found.per_batch.tolist()]
    means = [sum(row) / len(row) if row else math.nan for row in finished]
    assert found.sharpness.tolist() == pytest.approx(means, nan_ok=True)


def test_an_interrupt_from_the_loss_leaves_what_is_finished(measure):
    models, batches = _case()
    before = _user(models, batches)
    loss, told = Interrupted(functional.cross_entropy), _Stop(0)
    whole = measure(models, loss, batches, callback=told)
    told = _Stop(0)
    broken = Interrupted(functional.cross_entropy, loss.calls - 3, KeyboardInterrupt)
    with pytest.warns(UserWarning, match=r"^interrupted: "):
        found = measure(models, broken, batches, progress=True, callback=told)
    assert 0 < len(told.told) < 6
    _assert_finished(found, whole, told.told)
    _assert_same(before, _user(models, batches))


@pytest.mark.parametrize("how", [{"progress": False}, {"progress": True}], ids=["without a bar", "before any is done"])
def test_an_interrupt_is_an_error_without_a_bar_and_where_nothing_is_finished(measure, how):
    models, batches = _case()
    before = _user(models, batches)
    at, callback = (0, _Stop(2)) if not how["progress"] else (7, None)
    with pytest.raises(KeyboardInterrupt, match=r"^at this call$"):
        measure(models, Interrupted(functional.cross_entropy, at, KeyboardInterrupt), batches, callback=callback, **how)
    _assert_same(before, _user(models, batches))


FOLLOWED = {
    "worst_case": partial(worst_case, rho=0.05, steps=2, convergence=2),
    "hessian": partial(hessian, vectors=1, groups="layer", perturb=lambda name: "bias" in name),
}


def _followed(found: Measured) -> list[bool]:
    """Which parts of what follows the measuring proper there are."""
    if hasattr(found, "groups"):
        return [name in (found.groups or {}) for name in ("0", "2")]
    return (~found.gain_from_doubling.isnan()).all(0).tolist()


@pytest.mark.parametrize("kind", FOLLOWED)
def test_an_interrupt_ends_what_would_follow_and_in_what_follows_it_leaves_what_is_finished(kind):
    """Groups of parameters, or the gain from doubling the steps."""
    measure, (models, batches) = FOLLOWED[kind], _case()
    before = _user(models, batches)
    told, loss = _Stop(0), Interrupted(functional.cross_entropy)
    whole = measure(models, loss, batches)
    assert _followed(whole)[:2] == [True, True]
    calls, loss = loss.calls, Interrupted(functional.cross_entropy)
    with pytest.warns(UserWarning, match=r"^interrupted: the values of what is not finished are nan$") as seen:
        found = measure(models, loss, batches, progress=True, callback=_Stop(3))
    assert len(seen) == 1
    assert loss.calls < calls / 2
    assert not any(_followed(found))
    late = Interrupted(functional.cross_entropy, calls - 1, KeyboardInterrupt)
    with pytest.warns(UserWarning, match=r"^interrupted: what is not finished is nan, or left out$") as seen:
        found = measure(models, late, batches, progress=True, callback=told)
    assert [warning.filename for warning in seen] == [__file__]
    assert len(told.told) == 6
    assert _followed(found)[:2] == [kind == "hessian", False]
    assert all(_equal(value, whole.quantities[name]) for name, value in found.quantities.items())
    with pytest.raises(KeyboardInterrupt):
        measure(models, Interrupted(functional.cross_entropy, calls - 1, KeyboardInterrupt), batches)
    _assert_same(before, _user(models, batches))


@pytest.mark.filterwarnings("error")
def test_an_error_of_the_callback_is_nobody_elses(measure):
    models, batches = _case()
    before = _user(models, batches)
    with pytest.raises(ArithmeticError, match=r"^at this call$"):
        measure(models, functional.cross_entropy, batches, progress=True, callback=_Stop(2, ArithmeticError))
    _assert_same(before, _user(models, batches))
