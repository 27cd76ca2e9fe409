"""A shard: each model as if it were alone, how it is trained by plug-ins, and what is written down of it."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from adaptive_sharpness.datasets import Dataset, Rows
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.training.descent import shuffled_batches
from adaptive_sharpness.study.training.networks import build_network, initial_network
from adaptive_sharpness.study.training.shard import TrainedShard, train_shard

CPU = torch.device("cpu")
FILES = ("checkpoint", "initial", "table", "test_losses")


def _images(n: int, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 1, 28, 28), generator=draw, dtype=torch.uint8)
    return Rows(pixels, torch.randint(10, (n,), generator=draw), torch.tensor(127.5), torch.tensor(73.9))


@pytest.fixture(scope="module")
def examples(dataset):
    """examples(architecture): Abalone, images of noise, Cora."""
    images = Dataset(_images(96, seed=0), _images(30, seed=1))
    return {"fcnn": lambda: dataset("abalone"), "lenet5": lambda: images, "gat": lambda: dataset("cora")}


def _changed(pool: PoolSettings, epochs: int, **training) -> PoolSettings:
    """The same pool with a fixed number of epochs, and with other keys of its training."""
    block = pool.canonical()
    stop = {"min_epochs": epochs, "max_epochs": epochs}
    return PoolSettings.model_validate({**block, "training": {**block["training"], "stop": stop, **training}})


@pytest.fixture(scope="module")
def shards(config, examples):
    """shards(architecture): its settings, shortened to two epochs, its data, and a shard of seeds 0 to 4."""
    done = {}

    def trained(architecture: str) -> tuple[PoolSettings, Dataset, TrainedShard]:
        if architecture not in done:
            block = {**config["protocols"]["report"][architecture], "architecture": architecture}
            pool, data = _changed(PoolSettings.model_validate(block), 2, batch_size=40), examples[architecture]()
            done[architecture] = pool, data, train_shard(pool, data, range(5), CPU)
        return done[architecture]

    return trained


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_a_shard_of_five_seeds_is_five_shards_of_one_to_the_bit(shards, architecture):
    pool, data, together = shards(architecture)
    for position in (4, 0, 2, 1, 3):
        torch.rand(position)  # nor does it matter what was drawn in between
        alone = train_shard(pool, data, [position], CPU)
        for found, of_all in ((alone.states, together.states), (alone.initial, together.initial)):
            assert found.keys() == of_all.keys()
            assert all(torch.equal(value[0], of_all[name][position]) for name, value in found.items())
        assert torch.equal(alone.test_losses[0], together.test_losses[position])
        assert alone.table == [together.table[position]]


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_models_differ_from_each_other_and_from_their_initial_weights(shards, architecture):
    pool, _, shard = shards(architecture)
    for seed in range(5):
        initial = initial_network(pool, seed)
        for name, _ in initial.named_parameters():
            if (architecture, name) == ("lenet5", "0.0.bias"):  # batch norm takes it away: its gradient is exactly 0
                continue
            weights = shard.states[name]
            assert not torch.equal(weights[seed], initial.state_dict()[name])
            assert not any(torch.equal(weights[seed], weights[other]) for other in range(seed))


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_a_model_starts_at_the_initial_weights_of_its_seed(shards, architecture):
    pool, data, _ = shards(architecture)
    unmoved = train_shard(_changed(pool, 1, optimiser={"name": "SGD", "lr": 0.0}), data, [3, 1], CPU)
    for position, seed in enumerate((3, 1)):
        initial = initial_network(pool, seed)
        for name, parameter in initial.named_parameters():
            assert torch.equal(unmoved.states[name][position], parameter)


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_the_states_before_training_are_those_of_the_initial_network_of_each_seed(shards, architecture):
    """Buffers too, such as batch norm's, which training changes."""
    pool, _, shard = shards(architecture)
    for seed in range(5):
        wanted = initial_network(pool, seed).state_dict()
        assert shard.initial.keys() == wanted.keys()
        assert all(torch.equal(shard.initial[name][seed], value) for name, value in wanted.items())


def _mean_loss_and_accuracy(network, split, loss: str) -> tuple[float, float]:
    """Over a whole split in one go."""
    with torch.no_grad():
        outputs = split.apply(network, torch.arange(len(split))).double()
    targets = split.targets.double() if split.targets.is_floating_point() else split.targets
    right = (outputs.argmax(dim=1) == targets.squeeze(-1)).double().mean().item()
    return getattr(functional, loss)(outputs, targets).item(), right


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_the_losses_of_a_model_are_those_at_its_saved_weights_in_eval_mode(shards, architecture):
    pool, data, shard = shards(architecture)
    for position, row in enumerate(shard.table):
        network = build_network(architecture, pool.options).eval()
        network.load_state_dict({name: value[position] for name, value in shard.states.items()})
        train_loss, _ = _mean_loss_and_accuracy(network, data.train, pool.loss)
        test_loss, accuracy = _mean_loss_and_accuracy(network, data.test, pool.loss)
        assert row["train_loss"] == pytest.approx(train_loss, rel=1e-5)
        assert row["test_loss"] == pytest.approx(test_loss, rel=1e-5)
        assert shard.test_losses[position].mean().item() == row["test_loss"]
        assert row["accuracy"] == (None if architecture == "fcnn" else pytest.approx(accuracy, abs=1e-9))
        assert (row["seed"], row["epochs"]) == (position, 2)


@pytest.fixture(scope="module")
def saved(shards, tmp_path_factory) -> dict[str, Path]:
    """The four files of a shard, by what they hold."""
    folder, (_, _, shard) = tmp_path_factory.mktemp("shard"), shards("lenet5")
    files = {name: folder / name for name in FILES}
    said = {"labels": {"protocol": "report", "pool": "lenet5", "setting": ""}, "provenance": PROVENANCE}
    shard.save(**files, made_from={"dataset": "noise"}, **said)
    return files


PROVENANCE = {"device": "cpu", "versions": "torch 2, numpy 2"}


@pytest.mark.parametrize(("file", "attribute"), [("checkpoint", "states"), ("initial", "initial")])
def test_a_file_of_states_holds_all_by_seed_and_says_how_it_was_made(saved, shards, file, attribute):
    states = getattr(shards("lenet5")[2], attribute)
    tensors = load_file(saved[file])
    assert tensors.pop("seeds").tolist() == [0, 1, 2, 3, 4]
    assert tensors.keys() == {f"state.{name}" for name in states}
    assert all(torch.equal(value, states[name.removeprefix("state.")]) for name, value in tensors.items())
    with safe_open(saved[file], "pt") as opened:
        made_from = json.loads(opened.metadata()["made_from"])
    assert made_from == {"dataset": "noise", **PROVENANCE}


def test_a_shards_csv_has_a_row_for_every_model_with_its_labels(saved, shards):
    table = pd.read_csv(saved["table"], keep_default_na=False)
    wanted = pd.DataFrame(shards("lenet5")[2].table).assign(**PROVENANCE)
    for position, (name, value) in enumerate({"protocol": "report", "pool": "lenet5", "setting": ""}.items()):
        wanted.insert(position, name, value)
    pd.testing.assert_frame_equal(table, wanted)


def test_a_shards_test_losses_are_kept_example_by_example_with_their_labels(saved, shards):
    tensors = load_file(saved["test_losses"])
    assert tensors["seeds"].tolist() == [0, 1, 2, 3, 4]
    assert tensors["test_losses"].shape == (5, 30)
    assert torch.equal(tensors["test_losses"], shards("lenet5")[2].test_losses)
    with safe_open(saved["test_losses"], "pt") as opened:
        assert json.loads(opened.metadata()["labels"]) == {"protocol": "report", "pool": "lenet5", "setting": ""}


def _values(n: int, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=draw)
    return Rows(x, x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3, torch.tensor(0.0), torch.tensor(1.0))


VALUES = Dataset(_values(10, seed=0), _values(6, seed=1))
LINEAR = {
    "dataset": "values",
    "architecture": "fcnn",
    "options": {"widths": [3, 1]},
    "initialisation": "xavier_uniform",
    "loss": "mse_loss",
}


def _linear(optimiser: dict, epochs: int = 3, **training) -> PoolSettings:
    """A pool of linear regressions."""
    stop = {"min_epochs": epochs, "max_epochs": epochs}
    return PoolSettings.model_validate(
        {**LINEAR, "training": {"optimiser": optimiser, "batch_size": 4, "stop": stop, **training}}
    )


def _write(folder: Path, place: str, text: str) -> Path:
    """A file among the user's plug-ins."""
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(text)
    return folder


def _trained_weights(pool: PoolSettings, folder: Path | str = "plugins", seed: int = 2) -> torch.Tensor:
    """Of one model, the bias last."""
    states = train_shard(pool, VALUES, [seed], CPU, folder).states
    return torch.cat([states["0.weight"].flatten(), states["0.bias"].flatten()])


def _weights_by_hand(pool: PoolSettings, step, epochs: int = 3, seed: int = 2) -> torch.Tensor:
    """step(network, gradients, epoch) moves the weights; gradients() are the batch's at the weights as they are."""
    network = initial_network(pool, seed)
    weights = list(network.parameters())
    for epoch in range(epochs):
        for index in shuffled_batches(VALUES.train, seed, epoch, 4):

            def gradients(index=index) -> tuple[torch.Tensor, ...]:
                return torch.autograd.grad(VALUES.train.loss(functional.mse_loss, network, index), weights)

            step(network, gradients, epoch)
    return nn.utils.parameters_to_vector(weights).detach()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("SGD", {"lr": 0.05, "foreach": True}),
        ("Adam", {"lr": 0.02, "betas": [0.8, 0.9]}),
        ("AdamW", {"lr": 0.02, "weight_decay": 0.1}),
        ("RMSprop", {"lr": 0.01}),
        ("Rprop", {"lr": 0.01}),
    ],
)
def test_an_optimiser_of_torch_is_named_by_its_class(name, options):
    pool = _linear({"name": name, **options})
    made = []

    def step(network, gradients, epoch) -> None:
        if not made:
            made.append(getattr(torch.optim, name)(network.parameters(), **options))
        for weight, gradient in zip(network.parameters(), gradients(), strict=True):
            weight.grad = gradient
        made[0].step()

    torch.testing.assert_close(_trained_weights(pool), _weights_by_hand(pool, step), rtol=1e-4, atol=1e-6)


SAM = """
import torch
from ._norm import norm


class SAM:
    def __init__(self, weights, rate, radius):
        self.weights, self.rate, self.radius = list(weights), rate, radius

    def zero_grad(self):
        for weight in self.weights:
            weight.grad = None

    def step(self, closure):
        closure()
        start = [weight.detach().clone() for weight in self.weights]
        length = norm([weight.grad for weight in self.weights])
        with torch.no_grad():
            for weight in self.weights:
                weight += self.radius * weight.grad / length
        closure()
        with torch.no_grad():
            for weight, before in zip(self.weights, start):
                weight.copy_(before - self.rate * weight.grad)


def build(parameters, rate, radius=0.1):
    return SAM(parameters, rate, radius)
"""
NORM = "def norm(tensors):\n    return sum(tensor.square().sum() for tensor in tensors).sqrt()\n"


def test_an_optimiser_of_the_user_may_ask_for_the_loss_twice_a_step(tmp_path):
    """SAM, whose helper lies beside it."""
    folder = _write(_write(tmp_path, "optimisers/sam.py", SAM), "optimisers/_norm.py", NORM)
    pool = _linear({"name": "sam", "rate": 0.05, "radius": 0.5})

    @torch.no_grad()
    def move(network, slopes, factor: float) -> None:
        for weight, slope in zip(network.parameters(), slopes, strict=True):
            weight += factor * slope

    def step(network, gradients, epoch) -> None:
        first = gradients()
        length = torch.cat([slope.flatten() for slope in first]).norm().item()
        move(network, first, 0.5 / length)
        second = gradients()
        move(network, first, -0.5 / length)
        move(network, second, -0.05)

    found = _trained_weights(pool, folder)
    torch.testing.assert_close(found, _weights_by_hand(pool, step), rtol=1e-4, atol=1e-6)
    assert (found - _trained_weights(_linear({"name": "SGD", "lr": 0.05}))).abs().max() > 1e-3


HALVING = """
class Halving:
    def __init__(self, optimiser, factor):
        self.optimiser, self.factor = optimiser, factor

    def step(self):
        for group in self.optimiser.param_groups:
            group["lr"] *= self.factor


def build(optimiser, factor=0.5):
    return Halving(optimiser, factor)
"""


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        ({"name": "StepLR", "step_size": 2, "gamma": 0.1}, lambda epoch: 0.05 * 0.1 ** (epoch // 2)),
        ({"name": "ExponentialLR", "gamma": 0.5}, lambda epoch: 0.05 * 0.5**epoch),
        ({"name": "halving", "factor": 0.25}, lambda epoch: 0.05 * 0.25**epoch),
    ],
)
def test_a_schedule_of_torch_or_of_the_user_sets_the_rate_of_each_epoch(tmp_path, schedule, rate):
    pool = _linear({"name": "SGD", "lr": 0.05}, epochs=5, schedule=schedule)

    @torch.no_grad()
    def step(network, gradients, epoch) -> None:
        with torch.enable_grad():
            slopes = gradients()
        for weight, slope in zip(network.parameters(), slopes, strict=True):
            weight -= rate(epoch) * slope

    found = _trained_weights(pool, _write(tmp_path, "schedules/halving.py", HALVING))
    torch.testing.assert_close(found, _weights_by_hand(pool, step, epochs=5), rtol=1e-5, atol=1e-6)


TRAINER = """
import torch


def train(network, split, loss, seed, *, optimiser, schedule, batch_size, stop, shift=0.0):
    moves = optimiser(network.parameters())
    rates = schedule(moves) if schedule else None
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(seed + shift + batch_size + moves.param_groups[0]["lr"])
    moves.step(lambda: None)
    if rates is not None:
        rates.step()
        network[0].bias.data.fill_(moves.param_groups[0]["lr"])
    network.eval()
    return [loss(network(split.inputs), split.targets).item()] * (stop.max_epochs - 1)
"""


@pytest.mark.parametrize("schedule", [None, {"name": "ExponentialLR", "gamma": 0.1}])
def test_a_trainer_of_the_user_gets_what_config_says_and_its_losses_are_counted_as_epochs(tmp_path, schedule):
    folder = _write(tmp_path, "trainers/filling.py", TRAINER)
    more = {"schedule": schedule} if schedule else {}
    pool = _linear({"name": "SGD", "lr": 0.5}, 7, trainer={"name": "filling", "shift": 0.25}, **more)
    shard = train_shard(pool, VALUES, [3, 8], CPU, folder)
    assert shard.states["0.weight"].tolist() == [[[7.75] * 3], [[12.75] * 3]]
    assert shard.states["0.bias"].flatten().tolist() == pytest.approx([0.05] * 2 if schedule else [7.75, 12.75])
    assert [row["epochs"] for row in shard.table] == [6, 6]
    assert [row["seed"] for row in shard.table] == [3, 8]


BAD = {
    "optimisers": (
        "def build(parameters, lr):\n    return {}\n",
        {"optimiser": {"name": "bad", "lr": 0.1}},
        "optimiser bad: build() gave dict, wanted what has step()",
    ),
    "schedules": (
        "def build(optimiser):\n    return None\n",
        {"schedule": {"name": "bad"}},
        "schedule bad: build() gave NoneType, wanted what has step()",
    ),
    "trainers": (
        "def train(network, split, loss, seed, *, optimiser, schedule, batch_size, stop):\n    return 0.5\n",
        {"trainer": {"name": "bad"}},
        "trainer bad: got float from train(), wanted a list with the training loss of every epoch",
    ),
}


@pytest.mark.fault(
    fault="an optimiser, a schedule or a trainer of the user's that is none",
    sees="`optimiser NAME: build() gave ..., wanted what has step()`, or `trainer NAME: got ..., wanted ...`",
)
@pytest.mark.parametrize(("kind", "body", "training", "line"), [(kind, *rest) for kind, rest in BAD.items()])
def test_what_is_no_optimiser_no_schedule_or_no_trainer_is_refused(tmp_path, kind, body, training, line):
    folder = _write(tmp_path, f"{kind}/bad.py", body)
    pool = _linear(**{"optimiser": {"name": "SGD", "lr": 0.1}, **training})
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        train_shard(pool, VALUES, [0], CPU, folder)


def test_a_loss_that_is_none_is_refused(tmp_path):
    folder = _write(tmp_path, "losses/bad.py", "def bad(outputs, targets, reduction='mean'):\n    return outputs\n")
    pool = _linear({"name": "SGD", "lr": 0.1}).model_copy(update={"loss": "bad"})
    with pytest.raises(ValueError, match=r"^loss bad: got shape \[2, 1\], wanted a tensor with one number, "):
        train_shard(pool, VALUES, [0], CPU, folder)


def test_a_model_that_diverges_is_named_in_the_log(caplog):
    table = train_shard(_linear({"name": "SGD", "lr": 1e30}), VALUES, [4], CPU).table
    assert not torch.tensor(table[0]["train_loss"]).isfinite()
    assert "seed 4 diverged: it counts in no tau" in caplog.messages


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": {"widths": [4, 1]}}, "architecture fcnn: cannot be applied to the data set: "),
        (
            {"options": {"widths": [3, 2]}},
            "architecture fcnn: got outputs [2, 2] for 2 examples, wanted [2, 1] like the",
        ),
        (
            {"options": {"widths": [3, 1], "depth": 2}},
            "architecture fcnn: options {'widths': [3, 1], 'depth': 2} do not",
        ),
    ],
)
def test_a_network_that_does_not_fit_the_data_set_is_not_trained(change, message):
    pool = _linear({"name": "SGD", "lr": 0.1}).model_copy(update=change)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        train_shard(pool, VALUES, [0], CPU)


def test_a_test_split_that_the_network_does_not_fit_is_refused_before_training():
    other = Rows(VALUES.test.inputs[:, :2], VALUES.test.targets, VALUES.test.shift, VALUES.test.scale)
    with pytest.raises(ValueError, match=r"^architecture fcnn: cannot be applied to the data set: "):
        train_shard(_linear({"name": "SGD", "lr": 0.1}), Dataset(VALUES.train, other), [0], CPU)


def test_models_that_cannot_be_trained_at_once_are_refused(shards):
    pool, data, _ = shards("lenet5")
    with pytest.raises(
        ValueError, match=r"^architecture lenet5: got random numbers in training, as of dropout, wanted none"
    ):
        train_shard(pool.model_copy(update={"stacked": 2}), data, [0], CPU)
