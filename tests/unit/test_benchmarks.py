"""The benchmarks still run, compare like with like, and count as they should."""

import csv
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch_geometric.nn import GAT, GATConv

from adaptive_sharpness.architectures.fast.convolution import PooledConvolution
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.training.networks import build_network
from benchmarks import device, exact_curvature, limit, made_networks, networks, notebook, pairs, profile, versus
from benchmarks.bench import Bench

ROOT = Path(__file__).parents[2]
COMPUTE, SNAKEMAKE = ("fcnn", "lenet5", "gat", "limit", "device"), ("workflow", "growth")
ROW = pairs.Row("topic", "work", "one", "other", "s", [(2.0, 1.0), (9.0, 3.0), (4.0, 4.0)])


def python(*arguments: object) -> subprocess.CompletedProcess:
    """Run a module in the project with one thread, since these tests share the machine with others."""
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture
def bench(tmp_path):
    with Bench(tmp_path, tmp_path, tmp_path, pairs=1, smoke=True) as bench:
        yield bench


@pytest.mark.slow
@pytest.mark.parametrize("topics", [COMPUTE, SNAKEMAKE], ids=" ".join)
def test_the_benchmarks_run(raw, tmp_path, topics):
    """And compare like with like: each topic that compares two ways holds their losses against each other first."""
    folder, *_ = [raw(name).parent for name in ("abalone", "fashion_mnist", "cora")]
    done = python("benchmarks", *topics, "--smoke", "--raw", folder, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "ratios.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["topic"] for row in rows} == set(topics)
    assert all(row["work"] in done.stdout for row in rows)
    assert all(0 < float(row["median"]) < math.inf for row in rows)
    machine = (tmp_path / "machine.csv").read_text()
    assert all(f"\n{what}," in machine for what in ("processor", "cores", "versions", "date"))


@pytest.mark.slow
def test_the_cost_on_larger_networks_is_measured(tmp_path):
    """Memory of networks as small as here is that of a few pages, more or less than a gradient's."""
    done = python("benchmarks", "networks", "--smoke", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "ratios.csv", newline="") as file:
        medians = {row["work"]: float(row["median"]) for row in csv.DictReader(file)}
    for name in networks.NETWORKS.values():
        assert {f"{name}: a step of worst_case, {norm}" for norm in networks.NORMS} <= medians.keys()
    assert all(math.isfinite(value) for value in medians.values())
    for scale in networks.SCALES:
        assert medians[f"ResNet-18: hessian, scale {scale}: relative error"] < 1e-3
        assert medians[f"ResNet-18: hessian, scale {scale}: losses computed"] > 0


@pytest.mark.slow
def test_pools_whose_hyper_parameters_vary_are_measured(tmp_path):
    done = python("benchmarks", "varied_pools", "--smoke", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "ratios.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5
    for name in (
        "one K",
        "one Psi",
        "27 models, 1 measures",
        "command tau on 30 runs, first",
        "command tau on 30 runs, all",
    ):
        assert len([row for row in rows if row["work"].startswith(name)]) == 2
    assert all(0 < float(row["median"]) < math.inf for row in rows)


@pytest.mark.slow
def test_two_checkouts_are_measured_side_by_side():
    done = python("benchmarks.networks", ROOT, ROOT, "--smoke")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    shown = lines[next(i for i, line in enumerate(lines) if line.startswith("work ")) :]
    assert len({len(line) for line in shown}) == 1
    assert len(shown) > len(networks.NETWORKS) * len(networks.NORMS) + 4 * len(networks.SCALES)


@pytest.mark.slow
def test_the_device_is_named_first():
    done = python("benchmarks.networks_on_device", "--smoke", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("device: ")


def test_a_quotient_of_two_checkouts_is_of_their_medians():
    other = pairs.Row("topic", "work", "one", "other", "s", [(3.0, 1.0)])
    lone = pairs.Row("topic", "new", "one", "other", "s", [(3.0, 1.0)])
    _, both, new = networks.side_by_side([ROW], [other, lone]).splitlines()
    assert (both.split(), new.split()) == (["work", "2", "3", "1.5"], ["new", "–", "3", "–"])


def test_a_checkout_against_itself_is_measured_twice(monkeypatch):
    counted = iter(range(1, 100))
    row = pairs.Row("topic", "work", "one", "other", "s", [])
    monkeypatch.setattr(networks, "exact", lambda _: {})
    monkeypatch.setattr(networks, "steps", lambda _: [pairs.Row(**{**vars(row), "pairs": [(next(counted), 1)]})])
    monkeypatch.setattr(networks, "curvature", lambda *_: [])
    monkeypatch.setattr(networks, "memory", lambda _: [])
    where = networks.Where("cpu", 1, True)
    (before,), (after,) = networks.in_rounds(where, where, 2)
    assert (before.pairs, after.pairs) == ([(1, 1), (4, 1)], [(2, 1), (3, 1)])


def test_the_exact_eigenvalue_is_that_of_the_matrix():
    made = made_networks.made("mlp", "cpu", smoke=True)
    network = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 10)).double()
    made = made_networks.Made(network, (made.batch[0][:, :5], made.batch[1]))
    names, weights = zip(*network.named_parameters(), strict=True)
    sizes = [weight.numel() for weight in weights]

    def loss(flat):
        parts = [part.view_as(weight) for part, weight in zip(flat.split(sizes), weights, strict=True)]
        output = torch.func.functional_call(network, dict(zip(names, parts, strict=True)), made.batch[0].double())
        return made.loss(output, made.batch[1])

    flat = torch.cat([weight.detach().flatten() for weight in weights])
    matrix = torch.autograd.functional.hessian(loss, flat)
    for scale, c in {"adaptive": flat.abs(), "none": torch.ones_like(flat)}.items():
        wanted = torch.linalg.eigvalsh(c[:, None] * matrix * c)[-1].item()
        assert exact_curvature.largest(made, scale) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.slow
def test_a_profile_says_where_all_of_the_time_goes(raw, tmp_path):
    folder, *_ = [raw(name).parent for name in ("abalone", "fashion_mnist", "cora")]
    done = python("benchmarks", "profile", "--smoke", "--raw", folder, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    lines = pd.read_csv(tmp_path / "profile.csv")
    jobs = lines.groupby(["network", "protocol", "part", "way"])
    assert len(jobs) == 3 * 2 * 2 * 2
    assert jobs["share"].sum().to_numpy() == pytest.approx(1, abs=0.02)
    loading = jobs.apply(lambda job: job.set_index("group")["share"]["loading"]).unstack("way")
    assert (loading["study"] == 0).all()
    assert (loading["notebooks' way"][["fcnn", "lenet5"]] > 0).all()


def test_a_matrix_product_is_one_and_what_a_loader_does_is_loading():
    def event(name, above=None):
        return SimpleNamespace(name=name, cpu_parent=above)

    loader = event("enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__")
    assert profile.group(event("aten::addmm")) == "matrix products"
    assert profile.group(event("aten::convolution_backward")) == "convolutions"
    assert profile.group(event("aten::copy_")) == profile.OTHERS
    assert profile.group(event("aten::copy_", event("aten::to", loader))) == "loading"


def test_a_row_has_the_median_of_ratios_and_not_the_ratio_of_medians():
    values = ROW.values()
    assert (values["minimum"], values["median"], values["maximum"], values["pairs"]) == (1.0, 2.0, 3.0, 3)
    assert (values["median of first"], values["median of second"]) == (4.0, 3.0)


@pytest.mark.parametrize(
    ("aim", "shown", "met"),
    [({}, "", ""), ({"least": 2}, "≥ 2", "yes"), ({"least": 2.1}, "≥ 2.1", "no"), ({"most": 1.9}, "≤ 1.9", "no")],
)
def test_an_aim_is_held_against_the_median(aim, shown, met):
    values = pairs.Row("topic", "work", "one", "other", "s", ROW.pairs, **aim).values()
    assert (values["aim"], values["met"]) == (shown, met)


def test_two_things_are_measured_in_turn():
    calls = []
    found = pairs.in_turn(lambda: calls.append("a") or len(calls), lambda: calls.append("b") or len(calls), 3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert found == [(3, 4), (6, 5), (7, 8)]


def test_two_ways_that_differ_are_not_compared():
    versus.require_same({"train_loss": 2.0}, {"train_loss": 2.001}, 1e-3)
    with pytest.raises(AssertionError, match=r"^train_loss: got 2\.01 from the study, wanted the plain loop's 2$"):
        versus.require_same({"train_loss": 2.0}, {"train_loss": 2.01}, 1e-3)
    with pytest.raises(AssertionError, match=r"^sharpness: got nan from the study, wanted the plain loop's 0\.1$"):
        versus.require_same({"sharpness": 0.1}, {"sharpness": math.nan, "base_loss": 2.0}, 1e-3)


def test_a_run_that_fails_is_no_figure(bench):
    said = f"{sys.executable} -m benchmarks.nothing 1: got exit code 1, wanted 0: {sys.executable}: "
    with pytest.raises(RuntimeError, match=f"^{re.escape(said)}No module named benchmarks.nothing\n$"):
        bench.run("benchmarks.nothing", 1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["nothing"],
            "TOPIC: got nothing, wanted any of fcnn, lenet5, gat, limit, workflow, growth, device, networks, "
            "varied_pools, profile",
        ),
        (["--pairs", "0"], "--pairs: got 0, wanted at least 1"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(arguments, error):
    done = python("benchmarks", *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"python -m benchmarks: error: {error}")


def test_operations_are_those_of_the_formula():
    """Of a matrix product, and of a gradient of FCNN's loss: forward, by weights, and by inputs but the first."""
    assert limit.counted(limit.product_of, 64, 3) == 3 * 2 * 64**3
    counts = device.counted("fcnn")
    assert counts[4]["flops"] == 4 * 2 * 64 * (2 * 10 * 64 + 3 * 64 * 64 + 3 * 64 * 1)


def test_a_sparse_product_counts_by_its_entries():
    entries = torch.eye(7)[:5].to_sparse_csr()
    dense = torch.ones(7, 3)
    assert limit.counted(torch.mm, entries, dense) == 2 * 5 * 3
    assert limit.counted(torch.addmm, torch.zeros(5, 3), entries, dense) == 2 * 5 * 3
    assert limit.counted(torch.addmm, torch.zeros(5, 3), entries.to_dense(), dense) == 2 * 5 * 7 * 3


def _pool(config: dict, name: str) -> PoolSettings:
    """A pool of the text's, its architecture named."""
    return PoolSettings.model_validate({"architecture": name, **config["protocols"]["report"][name]})


def test_the_notebooks_gat_is_torch_geometrics_with_the_studys_weights(config):
    pool = _pool(config, "gat")
    ours = build_network("gat", pool.options)
    theirs = notebook.as_released(pool, ours)
    assert type(theirs) is GAT
    assert {type(conv) for conv in theirs.convs} == {GATConv}
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_the_notebooks_lenet5_is_of_torchs_layers_with_relu_before_the_pool_and_the_studys_weights(config):
    pool = _pool(config, "lenet5")
    ours = build_network("lenet5", pool.options).eval()
    theirs = notebook.as_released(pool, ours).eval()
    assert [type(layer).__name__ for layer in theirs[:9]] == [
        *["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"] * 2,
        "Flatten",
    ]
    assert not any(isinstance(layer, PooledConvolution) for layer in theirs.modules())
    images = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_the_work_of_many_problems_follows_from_that_of_few():
    """Up to 2 % of bytes, which a few operations on masks of all problems do not take in proportion."""
    guess, (exact,) = device.estimated(device.counted("fcnn"), 12), device.counted("fcnn", (12,)).values()
    assert (guess["flops"], guess["launches"]) == (exact["flops"], exact["launches"])
    assert guess["bytes"] == pytest.approx(exact["bytes"], rel=0.02)


def test_an_estimate_is_no_shorter_than_its_launches_or_its_work():
    few, many = (
        {"flops": n * 10**12, "bytes": n * 10**6, "launches": launches} for n, launches in ((2, 100), (4, 100))
    )
    assert device.estimated({2: few, 4: many}, 67)["estimated s"] == pytest.approx(1 + 67e6 / 3.35e12)
    idle = {"flops": 0, "bytes": 0, "launches": 100}
    assert device.estimated({2: idle, 4: idle}, 67)["estimated s"] == pytest.approx(100 * 5e-6)


def test_the_peak_is_that_of_the_program_alone(tmp_path):
    file, used = tmp_path / "peak", bytearray(b"x" * 400_000_000)  # which the program that starts it holds
    done = python("benchmarks.peak", file, "timeit", "-n1", "-r1", "b'x' * 200_000_000")
    assert done.returncode == 0, done.stderr
    assert 200 < float(file.read_text()) < 300 < len(used) / 1e6


def test_pixels_are_normalised_as_the_study_does_it(dataset):
    split = dataset("fashion_mnist").train.first(3)
    for index, (image, target) in enumerate(notebook.Examples(split)[position] for position in range(3)):
        wanted = (split.inputs[index] - split.shift) / split.scale
        assert (image - wanted).abs().max() < 1e-5
        assert target == split.targets[index]
