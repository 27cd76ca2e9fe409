"""Measuring a checkpoint: what is read back, what is measured, and that nothing is changed by it."""

import math
import re
from functools import partial

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from adaptive_sharpness import measuring, pool, training
from adaptive_sharpness.dataset import Dataset, Rows
from adaptive_sharpness.measures import draw_batches, measure

CPU = torch.device("cpu")
BLOCK = {
    "network": "lenet5",
    "options": {"channels": [3, 4], "widths": [16, 12], "classes": 3, "dropout": 0.5},
    "initialisation": "xavier_uniform",
    "loss": "cross_entropy",
    "training": {"rate": 0.1, "batch_size": 16, "max_epochs": 2},
}
HOW = {
    "estimator": "worst_case",
    "batches": 4,
    "batch_size": 8,
    "seed": 0,
    "options": {"solver": "pga", "steps": 5, "rate": "training", "adaptive": True, "origin": False},
    "stacked": 1,
    "hops": None,
}
MADE_FROM = {"architecture": "lenet5", "dataset": "0123", "torch": "2.0.0"}


def _images(n: int, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 1, 28, 28), generator=draw, dtype=torch.uint8)
    return Rows(pixels, torch.randint(3, (n,), generator=draw), torch.tensor(127.5), torch.tensor(73.9))


IMAGES = Dataset(_images(50, seed=0), _images(20, seed=1))


def _save(trained: pool.Pool, folder) -> str:
    files = [str(folder / name) for name in ("weights.safetensors", "table.csv", "test_losses.safetensors")]
    trained.save(*files, made_from=MADE_FROM, provenance={})
    return files[0]


@pytest.fixture(scope="module")
def trained() -> pool.Pool:
    return pool.train(BLOCK, IMAGES, [4, 2, 9], CPU)


@pytest.fixture(scope="module")
def checkpoint(trained, tmp_path_factory) -> str:
    return _save(trained, tmp_path_factory.mktemp("checkpoint"))


def _sharpness(checkpoint: str, rho: float = 0.05, how: dict = HOW) -> pd.DataFrame:
    return measuring.sharpness(BLOCK, how, rho, checkpoint, MADE_FROM, IMAGES, CPU)


def _networks(checkpoint: str) -> dict[int, nn.Module]:
    return dict(measuring.networks(BLOCK, checkpoint, MADE_FROM))


def test_the_networks_of_a_checkpoint_have_the_losses_of_those_that_were_trained(checkpoint, trained):
    networks = _networks(checkpoint)
    assert list(networks) == [4, 2, 9]
    for network, losses in zip(networks.values(), trained.test_losses, strict=True):
        assert not any(module.training for module in network.modules())
        found, _ = training.evaluate(network, IMAGES.test, "cross_entropy")
        torch.testing.assert_close(found, losses, rtol=1e-6, atol=0)


@pytest.mark.fault(
    fault="a checkpoint of another config, data set or version of torch",
    sees="`FILE: made from ..., wanted ...: delete it and rerun`",
)
@pytest.mark.parametrize("key", ["architecture", "dataset", "torch"])
def test_a_checkpoint_that_was_made_from_something_else_is_refused(checkpoint, key):
    wanted = rf"^{re.escape(checkpoint)}: made from {key} {MADE_FROM[key]}, wanted other: delete it and rerun$"
    with pytest.raises(ValueError, match=wanted):
        measuring.sharpness(BLOCK, HOW, 0.05, checkpoint, {**MADE_FROM, key: "other"}, IMAGES, CPU)


@pytest.mark.fault(
    fault="a checkpoint that the study did not make",
    sees="`FILE: made from architecture nothing known, wanted ...: delete it and rerun`",
)
def test_a_file_that_does_not_say_what_it_was_made_from_is_refused(tmp_path):
    path = str(tmp_path / "other.safetensors")
    save_file({"seeds": torch.tensor([0])}, path)
    wanted = rf"^{re.escape(path)}: made from architecture nothing known, wanted lenet5: delete it and rerun$"
    with pytest.raises(ValueError, match=wanted):
        _networks(path)


def _loss(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    inputs = (IMAGES.train.inputs[batch].float() - 127.5) / 73.9
    return functional.cross_entropy(network(inputs), IMAGES.train.targets[batch])


def _pga_by_hand(network: nn.Module, batch: torch.Tensor, rho: float, rate: float) -> tuple[float, float]:
    """Five steps in place, as the report describes them."""
    own, losses = [parameter.detach().clone() for parameter in network.parameters()], []
    for _ in range(5):
        loss = _loss(network, batch)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for parameter, w, gradient in zip(network.parameters(), own, gradients, strict=True):
                delta = parameter - w + rate * gradient
                parameter.copy_(w + torch.minimum(torch.maximum(delta, -rho * w.abs()), rho * w.abs()))
    losses.append(_loss(network, batch).item())
    nn.utils.vector_to_parameters(torch.cat([w.flatten() for w in own]), network.parameters())
    return losses[0], max(losses[1:])


def test_every_model_ascends_on_the_same_batches_as_by_hand(checkpoint):
    found = _sharpness(checkpoint).set_index(["seed", "batch"])
    batches = draw_batches(50, 4, 8, seed=0)
    assert list(found.index) == [(seed, batch) for seed in (4, 2, 9) for batch in range(4)]
    for seed, network in _networks(checkpoint).items():
        for position, batch in enumerate(batches):
            wanted = _pga_by_hand(network, batch, rho=0.05, rate=0.1)
            row = found.loc[seed, position]
            assert (row["base_loss"], row["max_loss"]) == pytest.approx(wanted, rel=1e-5)
            assert row["sharpness"] == row["max_loss"] - row["base_loss"]


def test_models_with_the_same_weights_have_the_same_sharpness(trained, tmp_path):
    same = {name: value[[1, 1]].clone() for name, value in trained.states.items()}
    found = _sharpness(_save(pool.Pool(same, trained.table[:2], trained.test_losses[:2]), tmp_path))
    first, second = (found[found["seed"] == seed].drop(columns="seed").reset_index(drop=True) for seed in (4, 2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.mark.parametrize("stacked", [1, 4])
def test_parameters_and_batch_norm_buffers_are_untouched_to_the_bit(checkpoint, stacked):
    network = _networks(checkpoint)[4]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert any(value.any() for name, value in before.items() if name.endswith("running_mean"))
    loss = partial(IMAGES.train.loss, functional.cross_entropy)
    options = {**HOW["options"], "rate": 0.1, "rho": 0.05, "stacked": stacked}
    measure("worst_case", network, loss, draw_batches(50, 4, 8, 0), options)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())


def test_the_global_random_state_neither_changes_nor_matters(checkpoint):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = _sharpness(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    pd.testing.assert_frame_equal(_sharpness(checkpoint), first, check_exact=True)


def test_more_batches_leave_the_first_ones_as_they_are(checkpoint):
    more = _sharpness(checkpoint, how={**HOW, "batches": 6})
    first = more[more["batch"] < 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, _sharpness(checkpoint), check_exact=True)


def test_the_rate_training_is_the_rate_that_trained_the_model(checkpoint):
    def with_rate(rate) -> pd.DataFrame:
        return _sharpness(checkpoint, how={**HOW, "options": {**HOW["options"], "rate": rate}})

    pd.testing.assert_frame_equal(with_rate("training"), with_rate(0.1), check_exact=True)
    assert (with_rate("training")["max_loss"] != with_rate(0.01)["max_loss"]).all()


def test_the_number_of_stacked_batches_changes_a_result_by_rounding_only(checkpoint):
    one, many = (_sharpness(checkpoint, how={**HOW, "stacked": stacked}) for stacked in (1, 3))
    pd.testing.assert_frame_equal(many, one, check_exact=False, rtol=1e-5)


@pytest.mark.parametrize("estimator", ["average_case", "worst_case"])
def test_a_model_that_diverged_has_no_sharpness_and_the_others_keep_theirs(
    trained, checkpoint, tmp_path, caplog, estimator
):
    states = {name: value.clone() for name, value in trained.states.items()}
    states["0.0.weight"][1] = math.inf
    options = {"samples": 2} if estimator == "average_case" else {"steps": 2}
    how = {**HOW, "estimator": estimator, "options": options}
    broken = _save(pool.Pool(states, trained.table, trained.test_losses), tmp_path)
    found, whole = (_sharpness(path, how=how).set_index("seed") for path in (broken, checkpoint))
    assert found.loc[2, ["sharpness", "base_loss", "max_loss"]].isna().all(axis=None)
    assert len(found.loc[2]) == HOW["batches"]
    pd.testing.assert_frame_equal(found.drop(index=2), whole.drop(index=2), check_exact=True)
    assert "seed 2 has no sharpness: model 0, batch 0: got a loss of nan at the weights" in caplog.text


def test_a_measure_without_a_radius_is_given_none(checkpoint):
    how = {**HOW, "estimator": "hessian", "options": {"vectors": 1}, "stacked": None, "batches": 2}
    found = measuring.sharpness(BLOCK, how, None, checkpoint, MADE_FROM, IMAGES, CPU)
    assert list(found) == ["seed", "batch", "sharpness", "base_loss", "trace"]
    assert len(found) == 6
    assert found["sharpness"].gt(0).all()


def test_hops_of_data_without_a_graph_are_refused(checkpoint):
    with pytest.raises(ValueError, match=r"^hops: got 2, wanted .*$"):
        _sharpness(checkpoint, how={**HOW, "hops": 2})


@pytest.fixture(scope="module")
def gat(config, dataset, tmp_path_factory):
    """gat(hops): the sharpness of the report's network on Cora, trained for an epoch."""
    block = config["protocols"]["report"]["gat"]
    block = {"network": "gat", **block, "training": {**block["training"], "min_epochs": 1, "max_epochs": 1}}
    path = _save(pool.train(block, dataset("cora"), [0], CPU), tmp_path_factory.mktemp("gat"))

    def measured(hops: int | None) -> pd.DataFrame:
        return measuring.sharpness(block, {**HOW, "hops": hops}, 0.02, path, MADE_FROM, dataset("cora"), CPU)

    return measured


def test_two_hops_of_cora_give_the_sharpness_of_the_whole_graph(gat):
    pd.testing.assert_frame_equal(gat(2), gat(None), check_exact=False, rtol=1e-5)


def test_one_hop_of_cora_is_refused(gat):
    wanted = r"^hops: got 1, wanted as many as the network has message passing layers: outputs differ$"
    with pytest.raises(ValueError, match=wanted):
        gat(1)
