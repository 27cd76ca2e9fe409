"""What a training block names, against plain torch code to the bit: optimisers, schedules, clipping, stop rules."""

import math
import re
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset, Rows
from adaptive_sharpness.landscape.randomness import default_generator
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.reading import plain_config, read_settings
from adaptive_sharpness.study.config.training import Sam, Training
from adaptive_sharpness.study.training.descent import evaluate, shuffled_batches
from adaptive_sharpness.study.training.networks import initial_network
from adaptive_sharpness.study.training.shard import train_shard

ROOT = Path(__file__).parents[2]
CPU, SEED, BATCH = torch.device("cpu"), 3, 4
STEPS = 3  # of an epoch of ten examples
SGD = {"name": "SGD", "lr": 0.05, "momentum": 0.5}


def _classes(n: int, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    inputs, targets = torch.randn(n, 3, generator=draw), torch.randint(3, (n,), generator=draw)
    return Rows(inputs, targets, torch.tensor(0.0), torch.tensor(1.0))


DATA = Dataset(_classes(10, 0), _classes(7, 1))


def pool(optimiser: dict, stop: dict | None = None, **more) -> PoolSettings:
    """Of perceptrons with dropout."""
    known = {"architecture": "fcnn", "options": {"widths": [3, 6, 3], "dropout": 0.2}, "initialisation": "glorot"}
    training = {key: more.pop(key) for key in ("schedule", "clip", "trainer") if key in more}
    training |= {"optimiser": optimiser, "batch_size": BATCH, "stop": stop or {"rule": "max_epochs", "max_epochs": 3}}
    return PoolSettings.model_validate(
        {"dataset": "made_up", "loss": "cross_entropy", **known, "training": training, **more}
    )


def weights(network: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach()


def trained(settings: PoolSettings, folder="plugins", data: Dataset = DATA) -> tuple[torch.Tensor, dict]:
    shard = train_shard(settings, data, [SEED], CPU, folder)
    network = initial_network(settings, SEED, folder)
    network.load_state_dict({name: value[0] for name, value in shard.states.items()})
    return weights(network), shard.table[0]


def plainly_trained(
    settings: PoolSettings, make, *, epochs=3, per_epoch=None, per_step=None, clip=None, folder="plugins"
):
    """A loop of torch alone; make(parameters) is an optimiser, per_epoch and per_step of it are schedules."""
    network = initial_network(settings, SEED, folder).train()
    optimiser = make(network.parameters())
    schedule = (per_epoch or per_step or (lambda _: None))(optimiser)
    with default_generator(SEED, "dropout"):
        for epoch in range(epochs):
            met = 0.0
            for index in shuffled_batches(DATA.train, SEED, epoch, BATCH):
                optimiser.zero_grad()
                loss = functional.cross_entropy(network(DATA.train.inputs[index]), DATA.train.targets[index])
                loss.backward()
                if clip:
                    clip(network.parameters())
                optimiser.step()
                met += loss.item() * len(index)
                if per_step:
                    schedule.step()
            if per_epoch:
                schedule.step(*([met / 10] if "Plateau" in type(schedule).__name__ else []))
    return weights(network)


# Optimisers


@pytest.mark.parametrize("name", sorted(set(plugins.torch_names("optimisers")) - {"Muon"}))
def test_an_optimiser_of_torch_takes_the_steps_that_it_takes_by_itself(name):
    fused = {"fused": True} if "fused" in plugins.options("optimisers", name) else {}
    plain = plainly_trained(pool({"name": name}), lambda w: getattr(torch.optim, name)(w, lr=0.02, **fused))
    found, _ = trained(pool({"name": name, "lr": 0.02}))
    assert torch.equal(found, plain)
    assert not torch.equal(found, weights(initial_network(pool({"name": name}), SEED)))


@pytest.mark.parametrize(
    "options",
    [
        {"name": "Adam", "betas": [0.8, 0.9], "eps": 1e-6, "amsgrad": True, "foreach": True},
        {"name": "SGD", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "fused": False},
        {"name": "Rprop", "etas": [0.4, 1.3], "step_sizes": [1e-5, 1]},
        {"name": "RMSprop", "alpha": 0.9, "centered": True, "momentum": 0.5},
    ],
    ids=lambda options: options["name"],
)
def test_an_optimiser_has_its_options(options):
    given = {key: value for key, value in options.items() if key != "name"}
    plain = plainly_trained(pool(options), lambda w: getattr(torch.optim, options["name"])(w, **given))
    assert torch.equal(trained(pool(options))[0], plain)


def _bias_free(folder):
    (folder / "architectures").mkdir()
    text = "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Linear(3, 5, bias=False), nn.ReLU(), "
    (folder / "architectures/matrices.py").write_text(f"{text}nn.Linear(5, 3, bias=False))\n")
    return folder


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_moves_matrices_and_refuses_what_is_none(tmp_path):
    settings = pool({"name": "Muon", "lr": 0.02}, architecture="matrices", options={})
    folder = _bias_free(tmp_path)
    plain = plainly_trained(settings, lambda w: torch.optim.Muon(w, lr=0.02), folder=folder)
    assert torch.equal(trained(settings, folder)[0], plain)
    line = r"^optimiser Muon: options \{'lr': 0\.02\} do not fit: Muon only supports 2D parameters"
    with pytest.raises(ValueError, match=line):
        trained(pool({"name": "Muon", "lr": 0.02}))


# Schedules


SCHEDULES = {
    "ConstantLR": {"factor": 0.5, "total_iters": 2},
    "CosineAnnealingLR": {"T_max": 4, "eta_min": 0.001},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2},
    "ExponentialLR": {"gamma": 0.7},
    "LinearLR": {"start_factor": 0.1, "total_iters": 2},
    "MultiStepLR": {"milestones": [1, 2], "gamma": 0.5},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 20},
    "PolynomialLR": {"total_iters": 3, "power": 2.0},
    "ReduceLROnPlateau": {"factor": 0.1, "patience": 0, "threshold": 0.5},
    "StepLR": {"step_size": 2},
}


def test_every_schedule_of_torch_is_tried():
    assert sorted(SCHEDULES) == plugins.torch_names("schedules")


@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_of_torch_changes_the_rate_as_it_does_by_itself(name, per):
    if (name, per) == ("ReduceLROnPlateau", "step"):
        return  # refused by its settings
    settings = pool(SGD, schedule={"name": name, "per": per, **SCHEDULES[name]})
    makes = {f"per_{per}": lambda optimiser: getattr(torch.optim.lr_scheduler, name)(optimiser, **SCHEDULES[name])}
    plain = plainly_trained(settings, _sgd, **makes)
    assert torch.equal(trained(settings)[0], plain)
    assert not torch.equal(plain, plainly_trained(settings, _sgd))


def _sgd(parameters) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.5, fused=True)


@pytest.mark.parametrize(
    ("said", "stop", "filled", "epochs"),
    [
        ({"name": "OneCycleLR", "max_lr": 0.1, "per": "step"}, None, {"total_steps": 3 * STEPS}, 3),
        ({"name": "OneCycleLR", "max_lr": 0.1}, None, {"total_steps": 3}, 3),
        ({"name": "OneCycleLR", "max_lr": 0.1, "per": "step", "epochs": 5}, None, {"total_steps": 5 * STEPS}, 3),
        ({"name": "OneCycleLR", "max_lr": 0.1, "per": "step", "steps_per_epoch": 9}, None, {"total_steps": 27}, 3),
        ({"name": "CosineAnnealingLR", "per": "step"}, {"rule": "max_steps", "max_steps": 6}, {"T_max": 6}, 2),
        ({"name": "CosineAnnealingLR"}, {"rule": "max_steps", "max_steps": 6}, {"T_max": 2}, 2),
    ],
)
def test_a_schedule_is_told_how_long_training_is_at_most(said, stop, filled, epochs):
    per, settings = said.get("per", "epoch"), pool(SGD, stop, schedule=said)
    own = {key: value for key, value in said.items() if key not in ("name", "per", "epochs", "steps_per_epoch")}
    make = getattr(torch.optim.lr_scheduler, said["name"])
    plain = plainly_trained(settings, _sgd, epochs=epochs, **{f"per_{per}": lambda o: make(o, **own, **filled)})
    assert torch.equal(trained(settings)[0], plain)


def test_a_schedule_that_does_not_fit_gives_a_line():
    settings = pool(SGD, schedule={"name": "OneCycleLR", "max_lr": 0.1, "pct_start": 2.0})
    with pytest.raises(ValueError, match=r"^schedule OneCycleLR: options \{.*\} do not fit: .*pct_start"):
        trained(settings)


# Clipping


@pytest.mark.parametrize(
    ("said", "clip"),
    [
        ({"norm": 0.1}, lambda w: nn.utils.clip_grad_norm_(w, 0.1)),
        ({"value": 0.02}, lambda w: nn.utils.clip_grad_value_(w, 0.02)),
    ],
)
@pytest.mark.parametrize("schedule", [None, {"name": "StepLR", "step_size": 1}])
def test_gradients_are_clipped_as_torch_clips_them(said, clip, schedule):
    """With a schedule too, which is the optimiser's inside."""
    settings = pool(SGD, clip=said, **({"schedule": schedule} if schedule else {}))
    after = {"per_epoch": lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, 1)} if schedule else {}
    plain = plainly_trained(settings, _sgd, clip=clip, **after)
    assert torch.equal(trained(settings)[0], plain)
    assert not torch.equal(plain, plainly_trained(settings, _sgd, **after))


# Stop rules


def test_training_may_end_after_a_number_of_epochs_whatever_the_loss_does():
    _, row = trained(pool({"name": "SGD", "lr": 1e-9}, {"rule": "max_epochs", "max_epochs": 5}))
    assert row["epochs"] == 5
    assert trained(pool({"name": "SGD", "lr": 1e-9}, {"tolerance": 1.0, "max_epochs": 5}))[1]["epochs"] == 2
    assert "reached" not in row


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_training_may_end_after_a_number_of_steps_within_an_epoch(steps, epochs):
    found, row = trained(pool(SGD, {"rule": "max_steps", "max_steps": steps}))
    settings, left = pool(SGD), iter(range(steps))
    network = initial_network(settings, SEED).train()
    optimiser = _sgd(network.parameters())
    with default_generator(SEED, "dropout"):
        for epoch in range(epochs):
            for index, _ in zip(shuffled_batches(DATA.train, SEED, epoch, BATCH), left, strict=False):
                optimiser.zero_grad()
                DATA.train.loss(functional.cross_entropy, network, index).backward()
                optimiser.step()
    assert row["epochs"] == epochs
    assert torch.equal(found, weights(network))


@pytest.mark.parametrize(("loss", "kept"), [(0.9, False), (0.9, True), (1e-6, False), (1e-6, True)])
def test_training_may_end_below_a_loss_and_says_whether_it_did(loss, kept):
    """Measured in eval mode after each epoch, on the training examples."""
    stop = {"rule": "loss_below", "loss": loss, "max_epochs": 30, "keep_unreached": kept}
    _, row = trained(pool(SGD, stop))
    means = []
    for epochs in range(1, row["epochs"] + 1):
        network = initial_network(pool(SGD), SEED)
        nn.utils.vector_to_parameters(
            trained(pool(SGD, {"rule": "max_epochs", "max_epochs": epochs}))[0], network.parameters()
        )
        means.append(evaluate(network.eval(), DATA.train, functional.cross_entropy)[0].mean().item())
    assert [mean < loss for mean in means[:-1]] == [False] * (len(means) - 1)
    assert row["reached"] is (means[-1] < loss) is (loss == 0.9)
    assert row["epochs"] == 30 or row["reached"]
    assert row["train_loss"] == means[-1]
    assert row.get("keep_unreached", False) is kept


def test_a_model_that_diverges_did_not_reach_its_loss():
    stop = {"rule": "loss_below", "loss": 0.5, "max_epochs": 3}
    _, row = trained(pool({"name": "SGD", "lr": 1e20}, stop))
    assert not math.isfinite(row["train_loss"])
    assert row["reached"] is False


# Losses of two classes


@pytest.mark.parametrize(
    ("loss", "output"), [("binary_cross_entropy_with_logits", None), ("binary_cross_entropy", "Sigmoid")]
)
def test_the_accuracy_of_two_classes_is_the_share_of_outputs_on_the_right_side(loss, output):
    def two(split: Rows) -> Rows:
        return Rows(split.inputs, (split.targets[:, None] > 0).float(), split.shift, split.scale)

    data = Dataset(two(DATA.train), two(DATA.test))
    settings = pool(SGD, loss=loss, options={"widths": [3, 1], "output": output})
    shard = train_shard(settings, data, [SEED], CPU)
    logits = data.test.inputs @ shard.states["0.weight"][0].T + shard.states["0.bias"][0]
    right = ((logits > 0).float() == data.test.targets).float().mean().item()
    assert 0 < right < 1
    assert shard.table[0]["accuracy"] == pytest.approx(right)
    wanted = functional.binary_cross_entropy_with_logits(logits, data.test.targets)
    assert shard.table[0]["test_loss"] == pytest.approx(wanted.item(), rel=1e-5)


def test_a_loss_that_cannot_be_applied_gives_a_line():
    line = re.escape("loss binary_cross_entropy_with_logits: cannot be applied to outputs [2, 3] and targets [2]: ")
    with pytest.raises(ValueError, match=f"^{line}"):
        trained(pool(SGD, loss="binary_cross_entropy_with_logits"))


# The page

SECTION = (ROOT / "docs/extending.md").read_text("utf-8").split("\n## Recipes\n")[1].split("\n## ")[0]
SHOWN = dict(re.findall(r"### (.*?)\n.*?```yaml\n(.*?)```", SECTION, re.DOTALL))
WAYS = [yaml.safe_load(way) for way in re.findall(r"^\| `(\{rho.*?\})` \|", SECTION, re.MULTILINE)]


def _images(n: int) -> Rows:
    draw = torch.Generator().manual_seed(n)
    pixels = torch.randint(256, (n, 1, 28, 28), generator=draw, dtype=torch.uint8)
    return Rows(pixels, torch.randint(10, (n,), generator=draw), torch.tensor(127.5), torch.tensor(73.9))


@pytest.mark.parametrize("title", SHOWN)
def test_each_recipe_of_the_page_is_valid_and_trains(title, monkeypatch):
    """In place of a pool of the study, for an epoch or two."""
    monkeypatch.chdir(ROOT)
    assert len(SHOWN) == 5
    shown = yaml.safe_load(SHOWN[title])
    name = "fcnn" if "options" in shown else "lenet5"
    config = plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    config["protocols"]["report"][name] |= {"stacked": 1, **shown}
    settings = read_settings(config).protocols["report"][name]
    assert settings.training.canonical() == Training.model_validate(shown["training"]).canonical()
    short = settings.for_training(name)
    short["training"] |= {"examples": 30} if "examples" in short["training"] else {}
    short["training"]["stop"] |= {"max_epochs": 2}
    data = Dataset(_images(40), _images(20))
    if name == "fcnn":
        rows = Rows(torch.rand(40, 10), torch.rand(40, 1), torch.tensor(0.0), torch.tensor(1.0))
        data = Dataset(rows, rows)
    (row,) = train_shard(PoolSettings.model_validate(short), data, [0], CPU).table
    assert math.isfinite(row["train_loss"])
    assert row.get("reached") is (False if title == "Stop rules" else None)


@pytest.mark.parametrize("sam", WAYS, ids=str)
def test_each_way_to_minimise_sharpness_of_the_page_trains(sam):
    assert len(WAYS) == 4
    settings = pool(SGD)
    with_sam = settings.model_copy(update={"training": settings.training.model_copy(update={"sam": Sam(**sam)})})
    assert not torch.equal(trained(with_sam)[0], trained(settings)[0])
