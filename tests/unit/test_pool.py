"""A pool of seeds: each model as if it were alone, and what is written down of it."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional

from adaptive_sharpness.architectures import build
from adaptive_sharpness.dataset import Dataset, Rows
from adaptive_sharpness.initialisation import initialised
from adaptive_sharpness.pool import Pool, train

CPU = torch.device("cpu")


def _images(n: int, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 1, 28, 28), generator=draw, dtype=torch.uint8)
    return Rows(pixels, torch.randint(10, (n,), generator=draw), torch.tensor(127.5), torch.tensor(73.9))


@pytest.fixture(scope="module")
def examples(dataset):
    """examples(architecture): Abalone, images of noise, Cora."""
    images = Dataset(_images(96, seed=0), _images(30, seed=1))
    return {"fcnn": lambda: dataset("abalone"), "lenet5": lambda: images, "gat": lambda: dataset("cora")}


@pytest.fixture(scope="module")
def pools(config, examples):
    """pools(architecture): its config block, shortened to two epochs, its data, and a pool of seeds 0 to 4."""
    done = {}

    def trained(architecture: str) -> tuple[dict, Dataset, Pool]:
        if architecture not in done:
            block = config["protocols"]["report"][architecture]
            short = {**block["training"], "min_epochs": 2, "max_epochs": 2, "batch_size": 40}
            block, data = {"network": architecture, **block, "training": short}, examples[architecture]()
            done[architecture] = block, data, train(block, data, range(5), CPU)
        return done[architecture]

    return trained


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_a_pool_of_five_seeds_is_five_pools_of_one_to_the_bit(pools, architecture):
    block, data, together = pools(architecture)
    for position in (4, 0, 2, 1, 3):
        torch.rand(position)  # nor does it matter what was drawn in between
        alone = train(block, data, [position], CPU)
        assert alone.states.keys() == together.states.keys()
        for name, value in alone.states.items():
            assert torch.equal(value[0], together.states[name][position])
        assert torch.equal(alone.test_losses[0], together.test_losses[position])
        assert alone.table == [together.table[position]]


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_models_differ_from_each_other_and_from_their_initial_weights(pools, architecture):
    block, _, pool = pools(architecture)
    for seed in range(5):
        initial = initialised(architecture, block["options"], block["initialisation"], seed)
        for name, _ in initial.named_parameters():
            if (architecture, name) == ("lenet5", "0.0.bias"):  # batch norm takes it away: its gradient is exactly 0
                continue
            weights = pool.states[name]
            assert not torch.equal(weights[seed], initial.state_dict()[name])
            assert not any(torch.equal(weights[seed], weights[other]) for other in range(seed))


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_a_model_starts_at_the_initial_weights_of_its_seed(pools, architecture):
    block, data, _ = pools(architecture)
    unmoved = {**block, "training": {**block["training"], "rate": 0.0, "min_epochs": 1, "max_epochs": 1}}
    states = train(unmoved, data, [3, 1], CPU).states
    for position, seed in enumerate((3, 1)):
        initial = initialised(architecture, block["options"], block["initialisation"], seed)
        for name, parameter in initial.named_parameters():
            assert torch.equal(states[name][position], parameter)


def _mean_loss_and_accuracy(network, split, loss: str) -> tuple[float, float]:
    """Over a whole split in one go."""
    with torch.no_grad():
        outputs = split.apply(network, torch.arange(len(split))).double()
    targets = split.targets.double() if split.targets.is_floating_point() else split.targets
    right = (outputs.argmax(dim=1) == targets.squeeze(-1)).double().mean().item()
    return getattr(functional, loss)(outputs, targets).item(), right


@pytest.mark.parametrize("architecture", ["fcnn", "lenet5", "gat"])
def test_the_losses_of_a_model_are_those_at_its_saved_weights_in_eval_mode(pools, architecture):
    block, data, pool = pools(architecture)
    for position, row in enumerate(pool.table):
        network = build(architecture, block["options"]).eval()
        network.load_state_dict({name: value[position] for name, value in pool.states.items()})
        train_loss, _ = _mean_loss_and_accuracy(network, data.train, block["loss"])
        test_loss, accuracy = _mean_loss_and_accuracy(network, data.test, block["loss"])
        assert row["train_loss"] == pytest.approx(train_loss, rel=1e-5)
        assert row["test_loss"] == pytest.approx(test_loss, rel=1e-5)
        assert pool.test_losses[position].mean().item() == row["test_loss"]
        assert row["accuracy"] == (None if architecture == "fcnn" else pytest.approx(accuracy, abs=1e-9))
        assert (row["seed"], row["epochs"]) == (position, 2)


@pytest.fixture(scope="module")
def saved(pools, tmp_path_factory) -> Path:
    folder, (_, _, pool) = tmp_path_factory.mktemp("pool"), pools("lenet5")
    files = [str(folder / name) for name in ("weights.safetensors", "table.csv", "test_losses.safetensors")]
    pool.save(*files, made_from={"dataset": "noise"}, provenance={"device": "cpu", "versions": "torch 2, numpy 2"})
    return folder


def test_a_checkpoint_holds_all_states_by_seed_and_says_how_it_was_made(saved, pools):
    states = pools("lenet5")[2].states
    tensors = load_file(saved / "weights.safetensors")
    assert tensors.pop("seeds").tolist() == [0, 1, 2, 3, 4]
    assert tensors.keys() == {f"state.{name}" for name in states}
    assert all(torch.equal(value, states[name.removeprefix("state.")]) for name, value in tensors.items())
    with safe_open(saved / "weights.safetensors", "pt") as file:
        made_from = json.loads(file.metadata()["made_from"])
    assert made_from == {"dataset": "noise", "device": "cpu", "versions": "torch 2, numpy 2"}


def test_a_pools_csv_has_a_row_for_every_model(saved, pools):
    table = pd.read_csv(saved / "table.csv")
    assert (table["device"] == "cpu").all()
    assert (table["versions"] == "torch 2, numpy 2").all()
    pd.testing.assert_frame_equal(table.drop(columns=["device", "versions"]), pd.DataFrame(pools("lenet5")[2].table))


def test_a_pools_test_losses_are_kept_example_by_example(saved, pools):
    tensors = load_file(saved / "test_losses.safetensors")
    assert tensors["seeds"].tolist() == [0, 1, 2, 3, 4]
    assert tensors["test_losses"].shape == (5, 30)
    assert torch.equal(tensors["test_losses"], pools("lenet5")[2].test_losses)
