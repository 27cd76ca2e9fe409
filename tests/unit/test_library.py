"""What the package promises a user: five lines for any network, loss and data, and everything left as it was.

One network is torchvision's, with batch norm and a DataLoader; the other torch_geometric's, on batches of graphs.
"""

import pkgutil
import random
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader as GraphLoader
from torch_geometric.nn import GIN, global_add_pool
from torchvision.models import squeezenet1_1

import adaptive_sharpness
from adaptive_sharpness import average_case, hessian, stats, worst_case

Case = tuple[nn.Module, Callable, Iterable]


class _Small(nn.Module):
    """Torchvision's SqueezeNet, whose convolutions are followed by a dropout, after a batch norm of its images."""

    def __init__(self):
        super().__init__()
        self.norm, self.net = nn.BatchNorm2d(3), squeezenet1_1(num_classes=4)

    def forward(self, images):
        return self.net(self.norm(images))


def _images() -> Case:
    """Shuffled, so that the loader draws from torch's global generator."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 3, 32, 32, generator=draw), torch.randint(4, (8,), generator=draw)
    model = _Small().eval()
    model.norm.running_mean.fill_(0.1)
    return model, nn.CrossEntropyLoss(), DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True)


def _graph_loss(model, graphs) -> torch.Tensor:
    return functional.cross_entropy(global_add_pool(model(graphs.x, graphs.edge_index), graphs.batch), graphs.y)


def _graphs() -> Case:
    draw = torch.Generator().manual_seed(0)
    graphs = [
        Data(
            x=torch.randn(6, 5, generator=draw),
            edge_index=torch.randint(6, (2, 14), generator=draw),
            y=torch.randint(3, (1,), generator=draw),
        )
        for _ in range(8)
    ]
    return (
        GIN(5, 8, num_layers=2, out_channels=3, dropout=0.5, norm="batch_norm").eval(),
        _graph_loss,
        GraphLoader(graphs, batch_size=4, shuffle=True),
    )


CASES = {"torchvision": _images, "torch_geometric": _graphs}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CASES[request.param]()


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _random_states() -> list:
    of_numpy = [np.asarray(part).tolist() for part in np.random.get_state()]  # noqa: NPY002
    return [torch.get_rng_state().tolist(), random.getstate(), of_numpy]


MEASURES = {
    "worst_case": partial(worst_case, rho=0.01, steps=3, restarts=1, convergence=1),
    "average_case": partial(average_case, rho=0.01, samples=4),
    "hessian": partial(hessian, vectors=1, perturb=lambda name: name.endswith(("norm.bias", "norms.0.module.bias"))),
}


def test_five_lines_are_enough(case):
    model, loss, batches = case
    rho, norm, steps = 0.01, "linf", 6
    result = worst_case(
        model, loss, batches, rho=rho, norm=norm, scale="adaptive", solver="apgd", steps=steps, restarts=1, seed=0
    )
    assert isinstance(result.sharpness, float)
    assert result.sharpness > 0
    assert result.standard_error > 0
    assert result.per_batch.shape == (2,)
    assert repr(result).startswith("WorstCase(sharpness ")
    assert len(repr(result)) < 200
    assert "\n" not in repr(result)


def test_the_losses_are_those_of_the_model_itself_before_and_after_it_moves(case):
    """Computed by moving the model's own weights, in place."""
    model, loss, batches = case
    listed = [batches.dataset[:4], batches.dataset[4:]] if loss is not _graph_loss else list(batches)
    found = worst_case(model, loss, listed, rho=0.01, steps=3, keep_delta=True)

    def value(batch) -> float:
        return (loss(model, batch) if loss is _graph_loss else loss(model(batch[0]), batch[1])).item()

    with torch.no_grad():
        for position, batch in enumerate(listed):
            assert value(batch) == pytest.approx(found.base_loss[position].item(), rel=1e-5)
            before = _state(model)
            for name, parameter in model.named_parameters():
                delta = found.delta[name][position]
                assert (delta.abs() <= 0.01 * parameter.abs() * (1 + 1e-6)).all()
                parameter.add_(delta)
            assert value(batch) == pytest.approx(found.max_loss[position].item(), rel=1e-5)
            model.load_state_dict(before)


@pytest.mark.parametrize("measure", MEASURES)
def test_everything_is_left_as_it_was(case, measure):
    model, loss, batches = case
    first = next(model.parameters())
    first.grad = torch.full_like(first, 0.5)
    last = list(model.parameters())[-1]
    before, random_before, grad = _state(model), _random_states(), first.grad
    pointers = {name: value.data_ptr() for name, value in model.state_dict().items()}
    MEASURES[measure](model, loss, batches)
    assert _random_states() == random_before
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {name: value.data_ptr() for name, value in model.state_dict().items()} == pointers
    assert first.grad is grad
    assert (grad == 0.5).all()
    assert last.grad is None
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in model.parameters())
    assert not any(module.training for module in model.modules())
    assert torch.is_grad_enabled()


def test_what_is_frozen_stays_frozen_and_is_not_perturbed(case):
    model, loss, batches = case
    names = [name for name, _ in model.named_parameters()]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name == names[-1])
    found = worst_case(model, loss, batches, rho=0.1, steps=2, perturb=lambda n: n == names[-1], keep_delta=True)
    assert list(found.delta) == names[-1:]
    assert [parameter.requires_grad for parameter in model.parameters()] == [False] * (len(names) - 1) + [True]


@pytest.mark.parametrize("measure", MEASURES)
def test_measuring_again_finds_the_same_whatever_the_global_seed(case, measure):
    model, loss, batches = case
    fixed = list(batches)
    found = MEASURES[measure](model, loss, fixed)
    with torch.random.fork_rng():
        torch.manual_seed(123)
        again = MEASURES[measure](model, loss, fixed)
    assert torch.equal(found.per_batch, again.per_batch)


@pytest.mark.parametrize("measure", MEASURES)
def test_gradients_are_found_though_the_caller_switched_them_off(case, measure):
    model, loss, batches = case
    fixed = list(batches)
    found = MEASURES[measure](model, loss, fixed)
    with torch.no_grad():
        again = MEASURES[measure](model, loss, fixed)
        assert not torch.is_grad_enabled()
    assert torch.equal(found.per_batch, again.per_batch)


def test_a_network_in_float64_is_measured_in_float64(case):
    model, loss, batches = case
    if loss is _graph_loss:
        fixed = [graphs.apply(lambda t: t.double() if t.is_floating_point() else t) for graphs in batches]
    else:
        fixed = [(x.double(), y) for x, y in batches]
    found = worst_case(model.double(), loss, fixed, rho=1e-9, norm="l2", steps=2)
    torch.testing.assert_close(found.per_batch, found.first_order, rtol=1e-3, atol=0)


def test_a_user_in_training_mode_is_told_what_to_do(case):
    model, loss, batches = case
    with pytest.raises(ValueError, match=r"^the network is in training mode, wanted eval mode: call network.eval\(\) "):
        worst_case(model.train(), loss, batches, rho=0.01)


def test_the_library_needs_torch_and_numpy_alone():
    """Measuring for real, in a process that can import nothing else of the study's dependencies."""
    code = """
    import sys
    for name in ("pandas", "scipy", "torch_geometric", "torchvision", "snakemake", "dvc", "safetensors"):
        sys.modules[name] = None
    import torch
    from adaptive_sharpness import average_case, worst_case
    batch = torch.ones(3, 2), torch.zeros(3, 1)
    for measure in (worst_case, average_case):
        assert measure(torch.nn.Linear(2, 1).eval(), torch.nn.functional.mse_loss, batch, rho=0.1).sharpness >= 0
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def _run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)


BLOCKED = """
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Blocked())
"""


@pytest.mark.parametrize(
    ("measure", "missing"),
    [
        ("worst_case", "torch"),
        ("average_case", "torch"),
        ("hessian", "torch"),
    ],
)
def test_a_measure_whose_packages_are_not_installed_says_in_one_line_how_to_install_them(measure, missing):
    run = _run(BLOCKED.format(names=[missing]) + f"from adaptive_sharpness import {measure}")
    assert run.returncode == 1
    wanted = f"{measure}: got no {missing}, wanted it installed: pip install 'adaptive-sharpness[library]'"
    assert run.stderr.splitlines()[-1] == f"ImportError: {wanted}"
    assert "ModuleNotFoundError" not in run.stderr


def test_another_package_that_is_missing_is_named_by_python_itself():
    run = _run(BLOCKED.format(names=["numpy"]) + "from adaptive_sharpness import hessian")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named 'numpy")


def test_the_package_and_its_statistics_do_without_torch():
    """Not only are they quicker so: they need not have it installed."""
    modules = [f"adaptive_sharpness.stats.{module.name}" for module in pkgutil.iter_modules(stats.__path__)]
    assert len(modules) > 5
    names = ["torch", "torch_geometric", "torchvision"]
    lines = [f"import {module}" for module in ("adaptive_sharpness", "adaptive_sharpness.stats", *modules)]
    code = "\n".join([*lines, f"assert not set({names}) & set(sys.modules)"])
    for before in ("import sys\n", BLOCKED.format(names=names)):
        run = _run(before + code)
        assert run.returncode == 0, run.stderr


def test_the_package_lists_its_measures_and_has_no_other_names():
    assert adaptive_sharpness.__all__ == ["average_case", "hessian", "worst_case"]
    assert set(adaptive_sharpness.__all__) < set(dir(adaptive_sharpness))
    with pytest.raises(AttributeError, match=r"^module 'adaptive_sharpness' has no attribute 'best_case'$"):
        adaptive_sharpness.best_case  # noqa: B018


class _Twice(nn.Module):
    """A layer, a PReLU and a batch norm that are used twice, and an output that is tied to the first layer."""

    def __init__(self):
        super().__init__()
        self.layer, self.act, self.norm, self.head = nn.Linear(3, 3), nn.PReLU(), nn.BatchNorm1d(3), nn.Linear(3, 3)
        self.again = nn.Sequential(self.layer, self.act, self.norm)
        self.head.weight = self.layer.weight

    def forward(self, x):
        return self.head(self.again(self.norm(self.act(self.layer(x)))))


@pytest.mark.parametrize("interrupted", [False, True], ids=["to the end", "interrupted"])
@pytest.mark.parametrize("measure", [worst_case, average_case, hessian], ids=lambda each: each.__name__)
def test_a_network_that_uses_a_module_twice_is_left_with_its_own_parameters(measure, interrupted):
    draw = torch.Generator().manual_seed(0)
    batch = torch.randn(4, 3, generator=draw), torch.randn(4, 3, generator=draw)
    model = _Twice().eval()
    own = {name: (value, value.clone()) for name, value in model.named_parameters(remove_duplicate=False)}
    calls = []

    def loss(output, target):
        calls.append(None)
        if interrupted and len(calls) > 3:
            raise KeyboardInterrupt
        return functional.mse_loss(output, target)

    how = {} if measure is hessian else {"rho": 0.1}
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            measure(model, loss, batch, **how)
    else:
        found = measure(model, loss, batch, **how)
        assert found.base_loss.item() == pytest.approx(functional.mse_loss(model(batch[0]), batch[1]).item(), rel=1e-5)
    after = dict(model.named_parameters(remove_duplicate=False))
    assert after.keys() == own.keys()
    for name, (parameter, value) in own.items():
        assert after[name] is parameter
        assert torch.equal(parameter, value)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (
            lambda: nn.Linear(3, 3).state_dict(),
            "model: got OrderedDict, as a state_dict is, wanted the torch.nn.Module",
        ),
        (
            lambda: torch.jit.script(nn.Linear(3, 3)),
            "model: got a scripted one (torch.jit), wanted the torch.nn.Module",
        ),
        (lambda: len, "model: got builtin_function_or_method, wanted a torch.nn.Module, or a list of them"),
        (lambda: [nn.Linear(3, 3), "resnet"], "model: got str, wanted a torch.nn.Module, or a list of them"),
        (lambda: nn.LazyLinear(3), "weight has no shape yet, wanted a network that was called once"),
        (lambda: nn.Linear(3, 3, device="meta"), "weight is on the device meta, which holds no numbers, wanted"),
    ],
    ids=["state_dict", "scripted", "a function", "a name in a list", "lazy", "meta"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_what_is_no_network_that_can_be_measured_is_refused_in_one_line(model, wanted):
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}") as refusal:
        worst_case(model(), functional.mse_loss, (torch.ones(2, 3), torch.ones(2, 3)), rho=0.1)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, partial(torch.compile, backend="eager")], ids=["parallel", "compiled"]
)
def test_of_a_wrapper_the_network_within_is_measured(wrap):
    model, batch = nn.Linear(3, 3).eval(), (torch.ones(2, 3), torch.ones(2, 3))
    found, wanted = (worst_case(each, functional.mse_loss, batch, rho=0.1) for each in (wrap(model).eval(), model))
    assert torch.equal(found.per_batch, wanted.per_batch)
