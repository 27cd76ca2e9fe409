"""Models times batches: their forms, which parameters are perturbed and by which scale, and what is refused."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import stack_module_state
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from adaptive_sharpness.landscape.objective import NotFinite
from adaptive_sharpness.landscape.problems import Chunk, Problems

INPUTS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)).double()
TARGETS = torch.randn(12, 1, generator=torch.Generator().manual_seed(1)).double()
PAIRS = [(INPUTS[i : i + 4], TARGETS[i : i + 4]) for i in (0, 4, 8)]


def _network(seed: int = 0) -> nn.Module:
    """Linear layers around a batch norm whose running statistics, weight and bias are no defaults."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Tanh(), nn.Linear(2, 1)).double()
        for value in (*network[1].parameters(), network[1].running_mean, network[1].running_var):
            value.data.uniform_(0.5, 2)
    return network.eval()


def _squares(network, batch: torch.Tensor) -> torch.Tensor:
    return network(batch).square().mean()


def _by_name(network, batch: dict) -> torch.Tensor:
    return mse_loss(network(batch["x"]), batch["y"])


def _losses(chunk: Chunk) -> dict[str, torch.Tensor]:
    return {"loss": chunk.loss(chunk.weights).detach()}


def _found(*args, **options) -> np.ndarray:
    return Problems(*args, **options).solve(_losses)["loss"].numpy()


def _state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in (*network.named_parameters(), *network.named_buffers())}


def _names(problems: Problems) -> list[str]:
    seen = {}
    problems.solve(lambda chunk: seen.setdefault("names", list(chunk.weights)) and _losses(chunk))
    return seen["names"]


def _scale(problems: Problems) -> dict[str, torch.Tensor]:
    return problems.solve(lambda chunk: {name: value[..., None] for name, value in chunk.scale.items()})


class _Own:
    """Batches as an iterable that is no list, fresh each time."""

    def __iter__(self):
        return iter(PAIRS)


FORMS = {
    "a list of pairs": (mse_loss, PAIRS),
    "pairs as lists": (mse_loss, [list(pair) for pair in PAIRS]),
    "a tuple of pairs": (mse_loss, tuple(PAIRS)),
    "an iterable": (mse_loss, _Own()),
    "a DataLoader": (mse_loss, DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4)),
    "what is no tensor": (_by_name, [{"x": x, "y": y} for x, y in PAIRS]),
}


@pytest.mark.parametrize("stacked", [1, 2, 100])
@pytest.mark.parametrize("form", FORMS)
def test_losses_are_the_networks_own_batch_by_batch(form, stacked):
    loss, batches = FORMS[form]
    network = _network()
    problems = Problems(network, loss, batches, stacked=stacked)
    assert problems.shape == (1, 3)
    wanted = [mse_loss(network(x), y).item() for x, y in PAIRS]
    np.testing.assert_allclose(problems.solve(_losses)["loss"], wanted, rtol=1e-13)


def test_a_generator_is_read_once_for_any_number_of_models_and_solutions():
    problems = Problems([_network(0), _network(1)], mse_loss, (pair for pair in PAIRS))
    first, again = problems.solve(_losses)["loss"], problems.solve(_losses)["loss"]
    assert first.shape == (2, 3)
    assert torch.equal(first, again)


def test_one_pair_is_one_batch():
    network = _network()
    wanted = mse_loss(network(INPUTS), TARGETS).item()
    np.testing.assert_allclose(_found(network, mse_loss, (INPUTS, TARGETS)), [wanted], rtol=1e-13)


@pytest.mark.parametrize("batches", [INPUTS.reshape(3, 4, 3), list(INPUTS.reshape(3, 4, 3))], ids=["rows", "a list"])
def test_rows_of_a_tensor_or_tensors_of_a_list_are_batches(batches):
    network = _network()
    wanted = [_squares(network, batch).item() for batch in INPUTS.reshape(3, 4, 3)]
    np.testing.assert_allclose(_found(network, _squares, batches, stacked=2), wanted, rtol=1e-13)


def test_one_dict_is_one_batch():
    batch = {"x": torch.ones(3, 2)}
    problems = Problems(nn.Linear(2, 1).eval(), lambda network, each: network(each["x"]).mean(), batch)
    assert problems.shape == (1, 1)


def test_two_tensors_in_a_list_are_two_batches_and_no_pair():
    network = _network()
    wanted = [_squares(network, batch).item() for batch in (INPUTS[:4], INPUTS[4:])]
    np.testing.assert_allclose(_found(network, _squares, [INPUTS[:4], INPUTS[4:]]), wanted, rtol=1e-13)


@pytest.mark.parametrize("stacked", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("several", ["a list", "a tuple", "stacked"])
def test_every_model_has_its_own_parameters_and_buffers_on_every_batch_whatever_its_shape(several, stacked):
    networks, sizes = [_network(seed) for seed in range(3)], [4, 2, 4, 1, 2]
    starts = np.cumsum([0, *sizes])
    batches = [(INPUTS[a : a + m] * (1 + a), TARGETS[a : a + m]) for a, m in zip(starts % 8, sizes, strict=False)]
    wanted = [[mse_loss(network(x), y).item() for x, y in batches] for network in networks]
    if several == "stacked":
        parameters, buffers = stack_module_state(networks)
        other = _network(9)  # it gives the function, and nothing else
        found = _found(other, mse_loss, batches, states={**parameters, **buffers}, stacked=stacked)
    else:
        found = _found(list(networks) if several == "a list" else tuple(networks), mse_loss, batches, stacked=stacked)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("perturb", ["all", "weights", lambda name: name == "0.weight"], ids=["all", "weights", "one"])
@pytest.mark.parametrize("stacked", [1, 4])
@pytest.mark.parametrize("count", [1, 2])
def test_stacked_states_stand_in_for_all_that_the_network_holds_even_what_is_not_perturbed(perturb, stacked, count):
    networks = [_network(seed) for seed in range(count)]
    parameters, buffers = stack_module_state(networks)
    states, options = {**parameters, **buffers}, {"perturb": perturb, "stacked": stacked}
    wanted = [[mse_loss(network(x), y).item() for x, y in PAIRS] for network in networks]
    np.testing.assert_allclose(_found(_network(9), mse_loss, PAIRS, states=states, **options), wanted, rtol=1e-13)
    np.testing.assert_allclose(_found(networks, mse_loss, PAIRS, **options), wanted, rtol=1e-13)


@pytest.mark.parametrize("stacked", [1, 5])
def test_gradients_in_what_is_perturbed_are_the_networks_own(stacked):
    networks = [_network(0), _network(1)]

    def gradients(chunk: Chunk) -> dict[str, torch.Tensor]:
        leaves = {name: value.clone().requires_grad_() for name, value in chunk.weights.items()}
        found = torch.autograd.grad(chunk.loss(leaves).sum(), list(leaves.values()))
        return dict(zip(leaves, found, strict=True))

    found = Problems(networks, mse_loss, PAIRS, perturb="weights", stacked=stacked).solve(gradients)
    assert list(found) == ["0.weight", "1.weight", "3.weight"]
    for model, network in enumerate(networks):
        for batch, (x, y) in enumerate(PAIRS):
            wanted = torch.autograd.grad(mse_loss(network(x), y), [network.get_parameter(name) for name in found])
            for value, each in zip(found.values(), wanted, strict=True):
                torch.testing.assert_close(value[model, batch], each, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("stacked", [1, 2, 4, 100])
def test_results_stand_at_their_own_model_and_batch_and_are_float64_where_a_number_a_problem(stacked):
    def positions(chunk: Chunk) -> dict[str, torch.Tensor]:
        models, batches = torch.tensor(chunk.models), torch.tensor(chunk.batches)
        assert len(models) <= stacked
        return {"number": 10 * models + batches, "vector": torch.stack([models, batches], dim=1)}

    mixed = [PAIRS[0], (INPUTS[:2], TARGETS[:2]), PAIRS[1]]
    found = Problems([_network(0), _network(1)], mse_loss, mixed, stacked=stacked).solve(positions)
    assert found["number"].tolist() == [[0, 1, 2], [10, 11, 12]]
    assert found["number"].dtype == torch.float64
    assert found["vector"].tolist() == [[[0, 0], [0, 1], [0, 2]], [[1, 0], [1, 1], [1, 2]]]
    alone = Problems(_network(0), mse_loss, mixed, stacked=stacked).solve(positions)
    assert alone["number"].tolist() == [0, 1, 2]
    assert alone["vector"].shape == (3, 2)


def test_a_list_of_one_model_is_several_and_so_are_stacked_states():
    assert _found([_network()], mse_loss, PAIRS).shape == (1, 3)
    parameters, buffers = stack_module_state([_network()])
    assert _found(_network(), mse_loss, PAIRS, states={**parameters, **buffers}).shape == (1, 3)
    assert _found(_network(), mse_loss, PAIRS).shape == (3,)


@pytest.mark.parametrize("stacked", [1, 4])
def test_batches_that_differ_in_their_type_alone_are_not_mixed(stacked):
    def loss(network, batch):
        return network(batch.double()).mean() + (1.0 if batch.dtype == torch.float32 else 0.0)

    network, whole = _network(), torch.ones(2, 3).long()
    found = _found(network, loss, [whole.float(), whole, whole.float()], stacked=stacked)
    wanted = network(whole.double()).mean().item()
    np.testing.assert_allclose(found, [wanted + 1, wanted, wanted + 1], rtol=1e-13)


def test_the_first_batches_are_the_first():
    problems = Problems(_network(), mse_loss, PAIRS)
    assert [x[0, 0].item() for x, _ in problems.first(2)] == [PAIRS[0][0][0, 0].item(), PAIRS[1][0][0, 0].item()]
    assert len(problems.first(9)) == 3


class _Elsewhere:
    """Data that lies on no device until it is moved, such as a graph's."""

    def __init__(self, values: torch.Tensor, device: torch.device | None = None):
        self.values, self.device = values, device

    def to(self, device: torch.device) -> "_Elsewhere":
        return _Elsewhere(self.values, device)


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda data: data, lambda batch: batch),
        (lambda data: {"inputs": [data, 1]}, lambda batch: batch["inputs"][0]),
        (lambda data: (data, "name", None), lambda batch: batch[0]),
    ],
    ids=["itself", "in a dictionary", "in a tuple"],
)
def test_what_is_no_tensor_is_moved_to_the_models_device(wrap, unwrap):
    def loss(network, batch):
        assert unwrap(batch).device == torch.device("cpu")
        return _squares(network, unwrap(batch).values)

    network = _network()
    found = _found(network, loss, [wrap(_Elsewhere(INPUTS))])
    np.testing.assert_allclose(found, [_squares(network, INPUTS).item()], rtol=1e-13)


def test_all_parameters_are_perturbed_or_the_weights_or_all_but_normalisation_layers_or_those_chosen():
    every = [name for name, _ in _network().named_parameters()]
    for perturb, wanted in [
        ("all", every),
        ("weights", ["0.weight", "1.weight", "3.weight"]),
        ("no_normalisation", ["0.weight", "0.bias", "3.weight", "3.bias"]),
        (lambda name: name.startswith("1"), ["1.weight", "1.bias"]),
    ]:
        assert _names(Problems(_network(), mse_loss, PAIRS, perturb=perturb)) == wanted


def test_biases_of_attention_and_recurrent_layers_are_no_weights():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.attention = nn.LSTM(3, 4), nn.MultiheadAttention(4, 2, add_bias_kv=True)

        def forward(self, x):
            return self.attention(*[self.lstm(x)[0]] * 3)[0]

    wanted = ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "attention.in_proj_weight", "attention.out_proj.weight"]
    problems = Problems(Both().double().eval(), _squares, [INPUTS], perturb="weights")
    assert _names(problems) == wanted


@pytest.mark.parametrize("layer", [nn.LayerNorm, nn.RMSNorm, lambda n: nn.GroupNorm(1, n), nn.BatchNorm1d])
def test_every_kind_of_normalisation_layer_can_be_left_out(layer):
    network = nn.Sequential(nn.Linear(3, 4), layer(4), nn.Linear(4, 1)).double().eval()
    names = _names(Problems(network, _squares, [INPUTS], perturb="no_normalisation"))
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_frozen_parameter_is_refused_in_any_model_unless_it_is_left_out():
    frozen = _network(1)
    frozen[0].weight.requires_grad_(False)
    line = (
        "0.weight does not require a gradient, wanted one that does, or a perturb that leaves it out, such as trainable"
    )
    wanted = f"^{line}$"
    for model in (frozen, [_network(0), frozen]):
        with pytest.raises(ValueError, match=wanted):
            Problems(model, mse_loss, PAIRS)
    left = Problems(frozen, mse_loss, PAIRS, perturb=lambda name: name != "0.weight")
    np.testing.assert_allclose(left.solve(_losses)["loss"], _found(_network(1), mse_loss, PAIRS), rtol=1e-15)


class _Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.other.weight = self.one.weight

    def forward(self, x):
        return self.other(self.one(x))


@pytest.mark.parametrize("count", [1, 2])
def test_tied_parameters_move_together(count):
    networks = [_Tied().double().eval() for _ in range(count)]

    def doubled(chunk: Chunk) -> dict[str, torch.Tensor]:
        assert list(chunk.weights) == ["one.weight"]
        return {"loss": chunk.loss({name: 2 * value for name, value in chunk.weights.items()}).detach()}

    found = Problems(networks, _squares, [INPUTS, INPUTS + 1], stacked=4).solve(doubled)["loss"]
    wanted = [[_squares(lambda x, n=n: 4 * n(x), batch).item() for batch in (INPUTS, INPUTS + 1)] for n in networks]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("stacked", [1, 6])
def test_the_scale_is_the_size_of_each_weight_or_1_or_what_a_function_says_of_each_model(stacked):
    networks = [_network(0), _network(1)]
    own = [dict(network.named_parameters()) for network in networks]

    def by_layer(_: str, weight: torch.Tensor) -> torch.Tensor:
        return torch.full_like(weight, weight.abs().max())

    for scale, wanted in [("adaptive", torch.abs), ("none", torch.ones_like), (by_layer, None)]:
        found = _scale(Problems(networks, mse_loss, PAIRS[:2], scale=scale, stacked=stacked))
        for model in range(2):
            for name, value in own[model].items():
                each = value.detach()
                each = wanted(each) if wanted else torch.full_like(each, each.abs().max())
                assert torch.equal(found[name][model, 0, ..., 0], each)
                assert torch.equal(found[name][model, 1, ..., 0], each)


def test_a_scale_takes_the_type_of_the_weights():
    def scale(_, weight):
        return torch.ones(weight.shape, requires_grad=True)

    found = _scale(Problems(_network(), mse_loss, PAIRS, scale=scale, perturb="weights"))
    assert list(found) == ["0.weight", "1.weight", "3.weight"]
    assert all(value.dtype == torch.float64 and not value.requires_grad for value in found.values())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda value: -value.abs() - 1,
        lambda value: torch.full_like(value, math.nan),
        lambda value: torch.full_like(value, math.inf),
        lambda value: torch.ones(1),
        lambda value: None,
        lambda value: 1.0,
    ],
    ids=["negative", "nan", "infinite", "another shape", "nothing", "a number"],
)
def test_a_scale_that_does_not_fit_is_refused_in_any_model(wrong):
    seen = []

    def scale(name, weight):
        seen.append(name)
        return wrong(weight) if seen.count("1.bias") == 2 and name == "1.bias" else weight.abs()

    wanted = r"^scale: got one for 1.bias that does not fit, wanted its shape, finite and at least 0$"
    with pytest.raises(ValueError, match=wanted):
        Problems([_network(0), _network(1)], mse_loss, PAIRS, scale=scale)


@pytest.mark.parametrize("scale", ["plain", "", None, True, ["adaptive"]], ids=repr)
def test_what_is_no_scale_is_refused(scale):
    known = "adaptive, none, filter, neuron, keskar, asam"
    wanted = f"scale: got {scale!r}, wanted one of {known}, or a function of (name, parameter)"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        Problems(_network(), mse_loss, PAIRS, scale=scale)


def _altered(network: nn.Module, loss=mse_loss) -> None:
    """Use it in every way, through callables that change whatever they are given."""

    def scale(_, weight):
        torch.rand(1)
        return weight.abs_()

    def solution(chunk: Chunk) -> dict[str, torch.Tensor]:
        leaves = {name: value.clone().requires_grad_() for name, value in chunk.weights.items()}
        torch.autograd.grad(chunk.loss(leaves).sum(), list(leaves.values()))
        chunk.normal(chunk.generators(0, "test", 0))
        return _losses(chunk)

    loader = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4, shuffle=True)
    for stacked in (1, 3):
        Problems(network, loss, loader, scale=scale, perturb="weights", stacked=stacked).solve(solution)


def test_measuring_leaves_the_model_its_buffers_and_gradients_as_they_were():
    network = _network()
    mse_loss(network(INPUTS), TARGETS).backward()
    before, gradients = _state(network), {n: p.grad.clone() for n, p in network.named_parameters()}
    parameters = list(network.parameters())
    _altered(network)
    assert all(torch.equal(value, before[name]) for name, value in _state(network).items())
    assert all(torch.equal(p.grad, gradients[name]) for name, p in network.named_parameters())
    assert all(one is other for one, other in zip(network.parameters(), parameters, strict=True))
    assert all(parameter.requires_grad for parameter in parameters)
    assert not any(module.training for module in network.modules())


def test_measuring_leaves_the_global_random_state_even_where_a_loss_draws_from_it():
    def shuffled(output, target):
        order = torch.randperm(4)
        return mse_loss(output[order], target[order])

    network, state = _network(), torch.get_rng_state()
    _altered(network)
    assert torch.equal(torch.get_rng_state(), state)
    found = _found(network, shuffled, PAIRS)  # one at a time: torch's vmap allows no randomness
    np.testing.assert_allclose(found, _found(network, mse_loss, PAIRS), rtol=1e-13)
    assert torch.equal(torch.get_rng_state(), state)


def test_random_numbers_follow_from_seed_purpose_batch_and_number_for_every_model_and_stack():
    def draw(seed, purpose, number):
        return lambda chunk: chunk.normal(chunk.generators(seed, purpose, number))

    networks = [_network(0), _network(1)]
    one = Problems(networks, mse_loss, PAIRS).solve(draw(3, "test", 0))
    other = Problems(networks[1], mse_loss, PAIRS, stacked=3).solve(draw(3, "test", 0))
    for name, value in one.items():
        assert value.dtype == torch.float64
        assert torch.equal(value[0], value[1])
        assert torch.equal(value[1], other[name])
        assert not torch.equal(value[0, 0], value[0, 1])
    for another in (draw(4, "test", 0), draw(3, "rest", 0), draw(3, "test", 1)):
        changed = Problems(networks[0], mse_loss, PAIRS).solve(another)
        assert not any(torch.equal(value[0], changed[name]) for name, value in one.items())


def test_random_numbers_are_standard_normal_and_but_for_rounding_the_same_in_every_type():
    def drawn(dtype: torch.dtype) -> torch.Tensor:
        problems = Problems(nn.Linear(100, 100).to(dtype).eval(), _squares, [torch.ones(1, 100, dtype=dtype)])
        return problems.solve(lambda chunk: chunk.normal(chunk.generators(0, "test", 0)))["weight"]

    values = drawn(torch.float64)
    assert torch.equal(drawn(torch.float32), values.float())
    assert abs(values.mean().item()) < 3.3 / 100
    assert abs(values.square().mean().item() - 1) < 3.3 * math.sqrt(2) / 100


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused_by_its_model_and_batch(loss):
    chunk = Chunk([0, 0, 4], [7, 8, 5], {}, {}, None)
    chunk.require_finite(torch.tensor([1.0, 2.0, -3.0]), "here")
    wanted = f"^model 4, batch 5: got a loss of {loss} at rho 2, wanted a finite number$"
    with pytest.raises(NotFinite, match=wanted):
        chunk.require_finite(torch.tensor([1.0, 2.0, loss]), "at rho 2")


@pytest.mark.parametrize("stacked", [0, -1, 1.5, None, True])
def test_a_stack_of_no_problems_is_refused(stacked):
    with pytest.raises(ValueError, match=rf"^stacked: got {stacked}, wanted a whole number, at least 1$"):
        Problems(_network(), mse_loss, PAIRS, stacked=stacked)


def test_no_model_is_refused():
    with pytest.raises(ValueError, match=r"^model: got an empty list, wanted at least one network$"):
        Problems([], mse_loss, PAIRS)


@pytest.mark.parametrize("batches", [[], (), iter(()), torch.ones(0, 4)], ids=["list", "tuple", "iterator", "tensor"])
def test_no_batch_is_refused(batches):
    with pytest.raises(ValueError, match=r"^batches: got none, wanted at least one$"):
        Problems(_network(), mse_loss, batches)


@pytest.mark.parametrize(
    "batch",
    [(INPUTS[:0], TARGETS[:0]), (INPUTS, TARGETS[:0]), [INPUTS[:0], TARGETS], INPUTS[:0]],
    ids=["pair", "no targets", "no inputs", "tensor"],
)
def test_an_empty_batch_is_refused(batch):
    with pytest.raises(ValueError, match=r"^batch 1: got no examples, wanted at least one$"):
        Problems(_network(), mse_loss, [PAIRS[0], batch, PAIRS[1]])


def test_a_network_in_training_mode_is_refused_wherever_it_stands():
    training = _network(1)
    training[1].train()
    wanted = r"^1 is in training mode, wanted eval mode: call network.eval\(\) first$"
    for model in (training, [_network(0), training]):
        with pytest.raises(ValueError, match=wanted):
            Problems(model, mse_loss, PAIRS)


@pytest.mark.parametrize(
    "other",
    [
        nn.Linear(3, 1).double(),
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double(),
        copy.deepcopy(_network()).float(),
    ],
    ids=["other names", "other shapes", "another type"],
)
def test_models_of_different_parameters_are_refused(other):
    wanted = r"^model: got networks of different parameters or buffers, wanted one architecture$"
    with pytest.raises(ValueError, match=wanted):
        Problems([_network(), other.eval()], mse_loss, PAIRS)


def test_models_of_equal_parameters_but_another_function_are_refused():
    other = _network(1)
    other[2] = nn.ReLU().eval()
    wanted = r"^model 2: got another loss from it than from model 0 with its parameters, wanted one architecture$"
    with pytest.raises(ValueError, match=wanted):
        Problems([_network(0), _network(1), other], mse_loss, PAIRS)


def test_networks_besides_states_are_refused():
    parameters, buffers = stack_module_state([_network(0), _network(1)])
    wanted = r"^model: got 2 networks and states, wanted one network that gives the function$"
    with pytest.raises(ValueError, match=wanted):
        Problems([_network(0), _network(1)], mse_loss, PAIRS, states={**parameters, **buffers})


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda states: states.pop("1.running_var"), r"nothing for 1.running_var, wanted \[models, 2\]"),
        (
            lambda states: states.update({"0.bias": torch.ones(2, 3)}),
            r"shape \[2, 3\] for 0.bias, wanted \[models, 2\]",
        ),
        (lambda states: states.update({"0.bias": torch.ones(2)}), r"shape \[2\] for 0.bias, wanted \[models, 2\]"),
        (
            lambda states: states.update({"1.num_batches_tracked": torch.tensor(0)}),
            r"shape \[\] for 1.num_batches_tracked, wanted \[models\]",
        ),
        (
            lambda states: states.update({"0.bias": torch.ones(3, 2)}),
            r"\[2, 3\] models, wanted one number of models, at least 1",
        ),
        (
            lambda states: states.update({name: value[:0] for name, value in states.items()}),
            r"\[0\] models, wanted one number of models, at least 1",
        ),
    ],
    ids=["missing", "another shape", "not stacked", "a scalar that is not stacked", "different numbers", "none"],
)
def test_states_that_are_not_the_networks_stacked_are_refused(change, got):
    parameters, buffers = stack_module_state([_network(0), _network(1)])
    states = {**parameters, **buffers}
    change(states)
    with pytest.raises(ValueError, match=f"^states: got {got}$"):
        Problems(_network(), mse_loss, PAIRS, states=states)


@pytest.mark.parametrize("perturb", ["biases", "", None, ["weights"]], ids=repr)
def test_an_unknown_choice_of_parameters_is_refused(perturb):
    wanted = f"perturb: got {perturb!r}, wanted one of all, weights, no_normalisation, trainable"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        Problems(_network(), mse_loss, PAIRS, perturb=perturb)


def test_a_choice_that_leaves_no_parameter_is_refused():
    norm = nn.Sequential(nn.LayerNorm(3)).double().eval()
    wanted = "^perturb: got no_normalisation, which leaves no parameter, wanted at least one$"
    with pytest.raises(ValueError, match=wanted):
        Problems(norm, _squares, [INPUTS], perturb="no_normalisation")
    with pytest.raises(
        ValueError, match=r"^perturb: got <function .*>, which leaves no parameter, wanted at least one$"
    ):
        Problems(_network(), mse_loss, PAIRS, perturb=lambda name: False)


def test_the_loss_is_checked_before_anything_is_solved():
    with pytest.raises(
        ValueError, match=r"^loss: got shape \[4, 1\], wanted a scalar tensor: the mean over the batch$"
    ):
        Problems(_network(), lambda output, target: output - target, PAIRS)
