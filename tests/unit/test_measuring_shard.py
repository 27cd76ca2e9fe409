"""Measuring a shard: what is read back, what is measured, what a measure may ask for, and that nothing is changed."""

import math
import re
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from adaptive_sharpness.datasets import Dataset, Rows
from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.study.config.measures import Measurement
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.measuring.checkpoint import read_networks, read_states
from adaptive_sharpness.study.measuring.shard import measure_shard, take
from adaptive_sharpness.study.training.descent import evaluate
from adaptive_sharpness.study.training.shard import TrainedShard, train_shard

CPU = torch.device("cpu")
POOL = PoolSettings.model_validate(
    {
        "dataset": "images",
        "architecture": "lenet5",
        "options": {"channels": [3, 4], "widths": [16, 12], "classes": 3, "dropout": 0.5},
        "initialisation": "xavier_uniform",
        "loss": "cross_entropy",
        "training": {"optimiser": {"name": "SGD", "lr": 0.1}, "batch_size": 16, "stop": {"max_epochs": 2}},
    }
)
HOW = {
    "estimator": "worst_case",
    "batches": 4,
    "batch_size": 8,
    "seed": 0,
    "options": {"solver": "pga", "steps": 5, "rate": "training", "scale": "adaptive", "origin": False},
    "stacked": 1,
}
MADE_FROM = {"pool": "lenet5", "dataset": "0123", "torch": "2.0.0"}


def _images(n: int, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 1, 28, 28), generator=draw, dtype=torch.uint8)
    return Rows(pixels, torch.randint(3, (n,), generator=draw), torch.tensor(127.5), torch.tensor(73.9))


IMAGES = Dataset(_images(50, seed=0), _images(20, seed=1))


def _save(trained: TrainedShard, folder: Path) -> dict[str, str]:
    """The files of a shard, by what they hold."""
    files = {name: str(folder / f"{name}.safetensors") for name in ("checkpoint", "initial", "test_losses")}
    trained.save(**files, table=str(folder / "table.csv"), made_from=MADE_FROM, labels={}, provenance={})
    return files


@pytest.fixture(scope="module")
def trained() -> TrainedShard:
    return train_shard(POOL, IMAGES, [4, 2, 9], CPU)


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory) -> dict[str, str]:
    return _save(trained, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def checkpoint(files) -> str:
    return files["checkpoint"]


def _measured(checkpoint: str, rho: float | None = 0.05, how: dict = HOW, **more) -> pd.DataFrame:
    given = {"made_from": MADE_FROM, "dataset": IMAGES, "device": CPU, **more}
    return measure_shard(POOL, Measurement.model_validate(how), rho, checkpoint=checkpoint, **given)


def _headline(found: pd.DataFrame) -> pd.DataFrame:
    return found[found["headline"]].reset_index(drop=True)


def _networks(checkpoint: str) -> dict[int, nn.Module]:
    return dict(read_networks(POOL, checkpoint, MADE_FROM))


def test_the_networks_of_a_checkpoint_have_the_losses_of_those_that_were_trained(checkpoint, trained):
    networks = _networks(checkpoint)
    assert list(networks) == [4, 2, 9]
    for network, losses in zip(networks.values(), trained.test_losses, strict=True):
        assert not any(module.training for module in network.modules())
        found, _ = evaluate(network, IMAGES.test, functional.cross_entropy)
        torch.testing.assert_close(found, losses, rtol=1e-6, atol=0)


@pytest.mark.fault(
    fault="a checkpoint of another config, data set or version of torch",
    sees="`FILE: made from ..., wanted ...: delete it and rerun`",
)
@pytest.mark.parametrize("key", ["pool", "dataset", "torch"])
def test_a_checkpoint_that_was_made_from_something_else_is_refused(checkpoint, key):
    wanted = rf"^{re.escape(checkpoint)}: made from {key} {MADE_FROM[key]}, wanted other: delete it and rerun$"
    with pytest.raises(ValueError, match=wanted):
        _measured(checkpoint, made_from={**MADE_FROM, key: "other"})


@pytest.mark.fault(
    fault="a checkpoint that the study did not make",
    sees="`FILE: made from pool nothing known, wanted ...: delete it and rerun`",
)
def test_a_file_that_does_not_say_what_it_was_made_from_is_refused(tmp_path):
    path = str(tmp_path / "other.safetensors")
    save_file({"seeds": torch.tensor([0])}, path)
    wanted = rf"^{re.escape(path)}: made from pool nothing known, wanted lenet5: delete it and rerun$"
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
    found = _headline(_measured(checkpoint)).set_index(["seed", "batch"])
    batches = draw_batches(50, 4, 8, seed=0)
    assert list(found.index) == [(seed, batch) for seed in (4, 2, 9) for batch in range(4)]
    for seed, network in _networks(checkpoint).items():
        for position, batch in enumerate(batches):
            wanted = _pga_by_hand(network, batch, rho=0.05, rate=0.1)
            row = found.loc[seed, position]
            assert (row["base_loss"], row["max_loss"]) == pytest.approx(wanted, rel=1e-5)
            assert row["value"] == row["max_loss"] - row["base_loss"]


def test_every_quantity_of_a_measure_has_its_rows_and_one_is_the_headline(checkpoint):
    found = _measured(checkpoint)
    assert list(found)[:5] == ["seed", "batch", "quantity", "headline", "value"]
    assert found["quantity"].unique().tolist() == ["sharpness", "first_order"]
    assert (found["headline"] == (found["quantity"] == "sharpness")).all()
    wanted = [(seed, name, b) for seed in (4, 2, 9) for name in ("sharpness", "first_order") for b in range(4)]
    assert list(found[["seed", "quantity", "batch"]].itertuples(index=False, name=None)) == wanted
    gradient = torch.autograd.grad(
        _loss(network := _networks(checkpoint)[4], draw_batches(50, 4, 8, 0)[2]), list(network.parameters())
    )
    slope = sum((g * w).abs().sum() for g, w in zip(gradient, network.parameters(), strict=True)).item()
    (row,) = found.query("seed == 4 and batch == 2 and quantity == 'first_order'").itertuples()
    assert row.value == pytest.approx(0.05 * slope, rel=1e-4)
    assert row.base_loss == found.query("seed == 4 and batch == 2 and headline")["base_loss"].item()


def test_models_with_the_same_weights_have_the_same_sharpness(trained, tmp_path):
    same = {name: value[[1, 1]].clone() for name, value in trained.states.items()}
    shard = TrainedShard(same, same, trained.table[:2], trained.test_losses[:2])
    found = _measured(_save(shard, tmp_path)["checkpoint"])
    first, second = (found[found["seed"] == seed].drop(columns="seed").reset_index(drop=True) for seed in (4, 2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.mark.parametrize("stacked", [1, 4])
def test_parameters_and_batch_norm_buffers_are_untouched_to_the_bit(checkpoint, stacked):
    network = _networks(checkpoint)[4]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert any(value.any() for name, value in before.items() if name.endswith("running_mean"))
    loss = partial(IMAGES.train.loss, functional.cross_entropy)
    options = {**HOW["options"], "rate": 0.1, "rho": 0.05, "stacked": stacked}
    take("worst_case", network, loss, draw_batches(50, 4, 8, 0), options)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())


def test_the_global_random_state_neither_changes_nor_matters(checkpoint):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = _measured(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    pd.testing.assert_frame_equal(_measured(checkpoint), first, check_exact=True)


def test_more_batches_leave_the_first_ones_as_they_are(checkpoint):
    more = _measured(checkpoint, how={**HOW, "batches": 6})
    first = more[more["batch"] < 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, _measured(checkpoint), check_exact=True)


def test_the_rate_training_is_the_rate_that_trained_the_model(checkpoint):
    def with_rate(rate) -> pd.DataFrame:
        return _measured(checkpoint, how={**HOW, "options": {**HOW["options"], "rate": rate}})

    pd.testing.assert_frame_equal(with_rate("training"), with_rate(0.1), check_exact=True)
    assert (with_rate("training")["max_loss"] != with_rate(0.01)["max_loss"]).all()


def test_the_number_of_stacked_batches_changes_a_result_by_rounding_only(checkpoint):
    one, many = (_measured(checkpoint, how={**HOW, "stacked": stacked}) for stacked in (1, 3))
    pd.testing.assert_frame_equal(many, one, check_exact=False, rtol=1e-5)


@pytest.mark.parametrize("estimator", ["average_case", "worst_case"])
def test_a_model_that_diverged_has_no_sharpness_and_the_others_keep_theirs(
    trained, checkpoint, tmp_path, caplog, estimator
):
    states = {name: value.clone() for name, value in trained.states.items()}
    states["0.0.weight"][1] = math.inf
    options = {"samples": 2} if estimator == "average_case" else {"steps": 2}
    how = {**HOW, "estimator": estimator, "options": options}
    broken = _save(TrainedShard(states, trained.initial, trained.table, trained.test_losses), tmp_path)["checkpoint"]
    found, whole = (_measured(path, how=how).set_index("seed") for path in (broken, checkpoint))
    assert found.loc[2, ["quantity", "value", "base_loss", "max_loss"]].isna().all(axis=None)
    assert found.loc[2, "headline"].all()
    assert found.loc[2, "batch"].tolist() == list(range(HOW["batches"]))
    same_names = {"quantity": str}  # a column of names with a gap may have another type than one without
    rest = [table.drop(index=2).astype(same_names) for table in (found, whole)]
    pd.testing.assert_frame_equal(*rest, check_exact=True)
    assert "seed 2 has no sharpness: model 0, batch 0: got a loss of nan at the weights" in caplog.text


def test_a_shard_of_which_every_model_diverged_is_a_table_too(trained, tmp_path):
    states = {**trained.states, "0.0.weight": torch.full_like(trained.states["0.0.weight"], math.nan)}
    broken = _save(TrainedShard(states, trained.initial, trained.table, trained.test_losses), tmp_path)["checkpoint"]
    found = _measured(broken)
    assert len(found) == 3 * HOW["batches"]
    assert found[["quantity", "value", "base_loss"]].isna().all(axis=None)


def test_a_measure_without_a_radius_is_given_none(checkpoint):
    how = {"estimator": "hessian", "options": {"vectors": 1}, "batches": 2, "batch_size": 8}
    found = _measured(checkpoint, None, how)
    assert list(found) == ["seed", "batch", "quantity", "headline", "value", "base_loss"]
    assert found["quantity"].unique().tolist() == ["lambda_max", "trace"]
    assert len(_headline(found)) == 6
    assert _headline(found)["value"].gt(0).all()


def test_batches_of_own_seeds_are_each_models_own(checkpoint):
    own = _measured(checkpoint, how={**HOW, "seed": "own"})
    for seed in (4, 2, 9):
        of_seed = _measured(checkpoint, how={**HOW, "seed": seed})
        found, wanted = (table[table["seed"] == seed].reset_index(drop=True) for table in (own, of_seed))
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    assert not own.equals(_measured(checkpoint))


def test_all_batches_are_the_whole_training_split_as_one(checkpoint):
    found = _headline(_measured(checkpoint, how={**HOW, "batches": "all"}))
    assert found["batch"].tolist() == [0, 0, 0]
    for seed, network in _networks(checkpoint).items():
        wanted = _loss(network, torch.arange(50)).item()
        assert found.set_index("seed").loc[seed, "base_loss"] == pytest.approx(wanted, rel=1e-5)


ASKING = """
import torch

from adaptive_sharpness.measures import Measured


def asking(model, loss, batches, *, seed=0, {asked}):
    now = dict(model.named_parameters())
    distance = torch.stack([(now[name] - initial[name]).abs().sum() for name in now]).sum() if {initial} else 0.0
    known = {{
        "distance": distance,
        "tracked": initial["0.1.num_batches_tracked"] if {initial} else -1.0,
        "examples": len(train_split) if {train_split} else -1.0,
        "first_target": train_split.targets[0] if {train_split} else -1.0,
        "worst": test_losses.max() if {test_losses} else -1.0,
        "tested": len(test_losses) if {test_losses} else -1.0,
    }}
    each = torch.ones(len(batches), dtype=torch.float64)
    values = {{name: torch.as_tensor(value).item() * each for name, value in known.items()}}
    return Measured(per_batch=values.pop("distance"), headline="distance", further=values)
"""
ASKED = ("initial", "train_split", "test_losses")


def _asking(folder: Path, *asked: str) -> Path:
    (folder / "measures").mkdir(parents=True)
    text = ASKING.format(asked=", ".join(asked), **{name: name in asked for name in ASKED})
    (folder / "measures/asking.py").write_text(text)
    return folder


def test_a_measure_gets_of_each_model_what_it_asks_for_by_keyword(trained, files, tmp_path):
    how = {"estimator": "asking", "batches": 2, "batch_size": 8}
    folder = _asking(tmp_path / "mine", *ASKED)
    asked = {name: files[name] for name in ("initial", "test_losses")}
    found = _measured(files["checkpoint"], None, how, **asked, folder=folder)
    values = found[found["batch"] == 0].pivot(index="seed", columns="quantity", values="value")
    assert len(found) == 3 * 2 * 6
    for position, seed in enumerate((4, 2, 9)):
        parameters = [name for name, _ in _networks(files["checkpoint"])[seed].named_parameters()]
        moved = sum((trained.states[n][position] - trained.initial[n][position]).abs().sum() for n in parameters)
        row = values.loc[seed]
        assert row["distance"] == pytest.approx(moved.item(), rel=1e-5)
        assert row["tracked"] == 0
        assert (row["examples"], row["first_target"]) == (50, IMAGES.train.targets[0].item())
        assert (row["worst"], row["tested"]) == (trained.test_losses[position].max().item(), 20)
    assert values["distance"].nunique() == 3


@pytest.mark.parametrize("asked", [(), *[(name,) for name in ASKED]])
def test_a_measure_gets_nothing_that_it_does_not_ask_for(files, tmp_path, asked):
    """Nor need there be a file of it."""
    how = {"estimator": "asking", "batches": 2, "batch_size": 8}
    given = {name: files[name] for name in asked if name in files}
    folder = _asking(tmp_path / "mine", *(asked or ["rest=None"]))
    found = _measured(files["checkpoint"], None, how, **given, folder=folder)
    values = found.groupby("quantity")["value"].first()
    assert (values["examples"] == 50) == ("train_split" in asked)
    assert (values["tested"] == 20) == ("test_losses" in asked)
    assert (values["distance"] > 0) == ("initial" in asked)


def test_the_states_before_training_are_read_back_by_seed(trained, files):
    found = dict(read_states(files["initial"]))
    assert list(found) == [4, 2, 9]
    for position, state in enumerate(found.values()):
        assert state.keys() == trained.initial.keys()
        assert all(torch.equal(value, trained.initial[name][position]) for name, value in state.items())


def test_hops_of_data_without_a_graph_are_refused(checkpoint):
    with pytest.raises(ValueError, match=r"^hops: got 2, wanted .*$"):
        _measured(checkpoint, how={**HOW, "hops": 2})


@pytest.fixture(scope="module")
def gat(config, dataset, tmp_path_factory):
    """gat(hops): the sharpness of the report's network on Cora, trained for an epoch."""
    block = config["protocols"]["report"]["gat"]
    training = {**block["training"], "stop": {"min_epochs": 1, "max_epochs": 1}}
    pool = PoolSettings.model_validate({"architecture": "gat", **block, "training": training})
    path = _save(train_shard(pool, dataset("cora"), [0], CPU), tmp_path_factory.mktemp("gat"))["checkpoint"]

    def measured(hops: int | None) -> pd.DataFrame:
        way = Measurement.model_validate({**HOW, **({} if hops is None else {"hops": hops})})
        given = {"checkpoint": path, "made_from": MADE_FROM, "dataset": dataset("cora"), "device": CPU}
        return measure_shard(pool, way, 0.02, **given)

    return measured


def test_two_hops_of_cora_give_the_sharpness_of_the_whole_graph(gat):
    pd.testing.assert_frame_equal(gat(2), gat(None), check_exact=False, rtol=1e-5)


def test_one_hop_of_cora_is_refused(gat):
    wanted = r"^hops: got 1, wanted as many as the network has message passing layers: outputs differ$"
    with pytest.raises(ValueError, match=wanted):
        gat(1)
