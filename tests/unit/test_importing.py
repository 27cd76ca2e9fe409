"""Models that were trained elsewhere: read in each format, or refused in one line; and back to the bit."""

import csv
import json
import math
import pickle
import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from adaptive_sharpness import cli
from adaptive_sharpness.datasets import Dataset, Rows
from adaptive_sharpness.study.config.model_table import ENDINGS, KNOWN, ModelRow
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.exporting import named_pool
from adaptive_sharpness.study.importing.fitting import PREFIXES, fitted_state
from adaptive_sharpness.study.importing.layout import COLUMNS, layout_of, read_layout, write_layout
from adaptive_sharpness.study.importing.readers import WRAPPERS, read_state
from adaptive_sharpness.study.importing.shard import import_shard
from adaptive_sharpness.study.importing.writers import FORMATS, write_models
from adaptive_sharpness.study.plan import Plan
from adaptive_sharpness.study.running.records import sha256
from adaptive_sharpness.study.tables.runs import _read_training
from adaptive_sharpness.study.training.networks import build_network
from adaptive_sharpness.study.training.shard import train_shard

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
FCNN = {"architecture": "fcnn", "options": {"widths": [3, 2]}, "loss": "cross_entropy", "dataset": "made"}
CONVOLUTIONS = """from torch import nn


def build():
    first = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(400, 10))
"""
STATE = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.tensor([-0.0, 1e-45])}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def examples(shape: tuple, classes: int, n: int = 24) -> Dataset:
    draw = torch.Generator().manual_seed(n)
    inputs, targets = torch.randn(n, *shape, generator=draw), torch.randint(classes, (n,), generator=draw)
    rows = Rows(inputs, targets, shift=torch.tensor(0.0), scale=torch.tensor(1.0))
    return Dataset(rows, rows.first(n // 2))


def pool(block: dict = FCNN) -> PoolSettings:
    return PoolSettings.model_validate(block)


def row(file: str, **said) -> ModelRow:
    return ModelRow(**{"line": 2, "id": "mine", "file": file, "sha256": sha256(file), "seed": 4, **said})


def imported(file: str, block: dict = FCNN, **said):
    return import_shard(pool(block), [row(file, **said)], examples((3,), 2), CPU)


def saved(state=STATE, name: str = "a.pt") -> str:
    torch.save(state, name)
    return name


def matrix(values: np.ndarray, layout: str | None = None) -> str:
    np.save("all.npy", values)
    write_layout("all.layout.csv", layout_of({name: value.shape for name, value in STATE.items()}))
    if layout is not None:
        Path("all.layout.csv").write_text(layout)
    return "all.npy"


# Formats


@pytest.mark.parametrize("form", FORMATS)
def test_all_numbers_and_kinds_come_back_to_the_bit(form):
    """Minus zero, the least number above zero, and a counter of batches; two shapes, in turn."""
    draw = torch.Generator().manual_seed(0)
    models = [
        {
            "weight": torch.randn(2, 3 + number % 2, generator=draw),
            "edge": torch.tensor([-0.0, 1e-45, torch.finfo(torch.float32).max]),
            "batches": torch.tensor(2**20 + number),
            "none": torch.zeros(0, 2),
        }
        for number in range(4)
    ]
    Path("out").mkdir()
    places = write_models(form, "out", "mine", models)
    assert len({(each["path"], each.get("row")) for each in places}) == 4
    for model, place in zip(models, places, strict=True):
        assert place["sha256"] == sha256(f"out/{place['path']}")
        network = nn.ParameterDict()
        for name, value in model.items():
            network.register_buffer(name, torch.zeros_like(value))
        back = fitted_state("", read_state(f"out/{place['path']}", place.get("row")), network)
        for name, value in model.items():
            assert back[name].dtype == value.dtype
            assert back[name].numpy().tobytes() == value.numpy().tobytes()


@pytest.mark.parametrize("value", [torch.tensor(1 / 3, dtype=torch.float64), torch.tensor(2**24 + 1)])
def test_what_a_matrix_cannot_keep_is_not_written(value):
    kind = str(value.dtype).removeprefix("torch.")
    with pytest.raises(
        ValueError, match=f"^a: got numbers of {kind} that float32 does not have, wanted another format"
    ):
        write_models("numpy", ".", "mine", [{"a": value}])


def test_a_stacked_file_has_a_model_a_row():
    save_file({name: torch.stack([value, value + 1]) for name, value in STATE.items()}, "all.safetensors")
    assert torch.equal(read_state("all.safetensors", 1)["0.weight"], STATE["0.weight"] + 1)


@pytest.mark.parametrize("wrapper", [*WRAPPERS, None])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "_orig_mod.module."])
def test_a_state_dict_may_be_wrapped_and_prefixed(wrapper, prefix):
    state = {f"{prefix}{name}": nn.Parameter(value) for name, value in STATE.items()}
    file = saved({wrapper: state, "epoch": 3, "optimizer": {"state": {}}} if wrapper else state)
    found = fitted_state(file, read_state(file), build_network("fcnn", FCNN["options"]))
    assert list(found) == list(STATE)
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_a_prefix_that_the_network_has_is_kept():
    network = nn.ModuleDict({"model": nn.Linear(1, 1), "module": nn.Linear(1, 1)})
    assert fitted_state("", network.state_dict(), network).keys() == network.state_dict().keys()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_those_of_the_network(kind):
    found = fitted_state("", {"weight": torch.full((1, 1), 0.5, dtype=kind)}, nn.Linear(1, 1, bias=False))
    assert (found["weight"].dtype, found["weight"].item()) == (torch.float32, 0.5)


def test_a_layout_comes_back(tmp_path):
    places = layout_of({"a": (), "b": (2, 3), "c": (0, 4), "d": (5,)})
    assert [(place.first, place.last) for place in places] == [(0, 0), (1, 6), (7, 6), (7, 11)]
    write_layout("a.csv", places)
    assert read_layout("a.csv", 12) == places


# Whole shards


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("stacked", [1, 2])
def test_a_trained_shard_comes_back_as_it_was(form, stacked):
    """Of a network with convolutions, which round differently in another layout of memory."""
    Path("plugins/architectures").mkdir(parents=True)
    Path("plugins/architectures/convolutions.py").write_text(CONVOLUTIONS)
    data, network = examples((1, 28, 28), 10, n=200), {**FCNN, "architecture": "convolutions", "options": {}}
    training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 1}}
    before = {**network, "initialisation": "layers_own", "training": training, "stacked": stacked}
    trained = train_shard(pool(before), data, [5, 7], CPU)
    models = [{name: value[number] for name, value in trained.states.items()} for number in range(2)]
    places = write_models(form, ".", "mine", models)
    rows = [
        ModelRow(
            line=0,
            id=f"model {said['seed']}",
            file=place["path"],
            sha256=place["sha256"],
            layout_sha256=place.get("layout_sha256", ""),
            row=place.get("row"),
            seed=said["seed"],
            losses={name: said[name] for name in ("train_loss", "test_loss", "accuracy")},
            columns={"lr": "0.1"},
        )
        for said, place in zip(trained.table, places, strict=True)
    ]
    found = import_shard(pool(network), rows, data, CPU)
    assert all(torch.equal(found.states[name], value) for name, value in trained.states.items())
    assert torch.equal(found.test_losses, trained.test_losses)
    known = [{key: each[key] for key in each if key != "epochs"} for each in trained.table]
    assert found.table == [{**each, "id": f"model {each['seed']}", "lr": "0.1"} for each in known]


def test_an_id_of_digits_stays_a_text(tmp_path):
    found = imported(saved(), id="007")
    files = [str(tmp_path / name) for name in ("states", "table", "losses")]
    labels = {"protocol": "elsewhere", "pool": "fcnn", "setting": ""}
    found.save(files[0], None, *files[1:], made_from={}, labels=labels, provenance={})
    assert _read_training(files[1])["id"].tolist() == ["007"]
    assert load_file(files[0])["seeds"].tolist() == [4]
    assert load_file(files[2])["seeds"].tolist() == [4]


def test_a_loss_may_differ_by_a_thousandth():
    computed = imported(saved()).table[0]
    assert imported(saved(), losses={"test_loss": computed["test_loss"] * 1.0009}).table == [computed]


# Refusals


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("touched"),)


@pytest.mark.fault(
    fault="a pickle with code in it in place of weights", sees="`FILE: got NAME in it, wanted tensors alone`"
)
@pytest.mark.parametrize(
    "write", [torch.save, lambda found, name: Path(name).write_bytes(pickle.dumps(found, protocol=2))]
)
@pytest.mark.parametrize("wrapped", [lambda evil: evil, lambda evil: {"state_dict": STATE, "epoch": evil}])
def test_a_pickle_with_code_is_refused_and_not_run(write, wrapped):
    write(wrapped(Evil()), "a.pt")
    with pytest.raises(
        ValueError, match=r"^a.pt: (got [\w.]+ in it, wanted tensors alone|cannot be read as tensors)"
    ) as caught:
        imported("a.pt")
    assert len(str(caught.value).splitlines()) == 1
    assert not Path("touched").exists()


def test_the_pickle_of_these_tests_would_have_run():
    pickle.loads(pickle.dumps(Evil()))
    assert Path("touched").exists()


def test_an_array_of_objects_is_refused_and_not_run():
    file = matrix(np.array([[Evil()]], dtype=object))
    with pytest.raises(ValueError, match=r"^all.npy: cannot be read as an array of NumPy: .*Python objects"):
        imported(file, row=0)
    assert not Path("touched").exists()


def changed(**values) -> str:
    return saved({**STATE, **{name.replace("_", "."): value for name, value in values.items()}})


def truncated(file: str) -> str:
    content = Path(file).read_bytes()
    Path(file).write_bytes(content[: len(content) // 2])
    return file


def tensors(name: str = "a.safetensors") -> str:
    save_file(STATE, name)
    return name


def text(name: str) -> str:
    Path(name).write_text("no model")
    return name


ONE = np.zeros((2, 8), np.float32)
LAYOUT = 'name,first,last,shape\n0.weight,0,5,"[2, 3]"\n0.bias,6,7,[2]\n'
BAD_FILES = {
    "a shape": (lambda: changed(**{"0_bias": torch.ones(3)}), {}, "a.pt: 0.bias: got shape [3], wanted [2]"),
    "a name too many": (
        lambda: changed(**{"0_biass": torch.ones(2)}),
        {},
        "a.pt: got parameter '0.biass', wanted one of 0.weight, 0.bias (did you mean 0.bias?)",
    ),
    "a name too few": (
        lambda: saved({"0.weight": STATE["0.weight"]}),
        {},
        "a.pt: got no parameter '0.bias', wanted 0.weight, 0.bias",
    ),
    "another architecture": (
        lambda: saved(build_network("lenet5", {}).state_dict()),
        {},
        "wanted one of 0.weight, 0.bias",
    ),
    "nan": (lambda: changed(**{"0_bias": torch.tensor([0, math.nan])}), {}, "0.bias: got nan, wanted finite numbers"),
    "infinity": (lambda: changed(**{"0_bias": torch.tensor([0, math.inf])}), {}, "0.bias: got inf, wanted finite"),
    "integers": (lambda: changed(**{"0_bias": torch.tensor([1, 2])}), {}, "0.bias: got int64, wanted float32"),
    "too large": (
        lambda: changed(**{"0_bias": torch.tensor([0, 1e300], dtype=torch.float64)}),
        {},
        "0.bias: got numbers of float64 that float32 does not have, wanted such as it has",
    ),
    "a whole network": (lambda: saved(nn.Linear(1, 1)), {}, "a.pt: got torch.nn.modules.linear.Linear in it, wanted"),
    "a list": (lambda: saved([torch.ones(1)]), {}, "a.pt: got list, wanted a state_dict, or one under state_dict"),
    "nothing": (lambda: saved({}), {}, "a.pt: got an empty mapping, wanted a state_dict"),
    "a number": (lambda: saved({"lr": 0.1}), {}, "a.pt: got float for 'lr', wanted a state_dict"),
    "a sparse tensor": (lambda: saved({"a": torch.eye(2).to_sparse()}), {}, "a.pt: got Tensor for 'a', wanted a state"),
    "truncated, pytorch": (lambda: truncated(saved()), {}, "a.pt: cannot be read as tensors of PyTorch: "),
    "truncated, safetensors": (lambda: truncated(tensors()), {}, "a.safetensors: cannot be read as safetensors: "),
    "truncated, numpy": (lambda: truncated(matrix(ONE)), {"row": 0}, "all.npy: cannot be read as an array of NumPy: "),
    "text, pytorch": (lambda: text("a.pt"), {}, "a.pt: cannot be read as tensors of PyTorch: "),
    "text, safetensors": (lambda: text("a.safetensors"), {}, "a.safetensors: cannot be read as safetensors: "),
    "text, numpy": (lambda: text("a.npy"), {"row": 0}, "a.npy: cannot be read as an array of NumPy: "),
    "empty, numpy": (lambda: str(Path("a.npy").touch() or "a.npy"), {"row": 0}, "a.npy: cannot be read as an array"),
    "a row too far": (lambda: matrix(ONE), {"row": 2}, "all.npy: got row 2, wanted one below 2, all that it has"),
    "a row too far, stacked": (tensors, {"row": 2}, "got row 2, wanted one below 2, all that 0."),
    "another kind of number": (
        lambda: matrix(ONE.astype(np.float64)),
        {"row": 0},
        "all.npy: got float64 [2, 8], wanted float32 [models, parameters]",
    ),
    "three axes": (lambda: matrix(ONE[None]), {"row": 0}, "got float32 [1, 2, 8], wanted float32 [models, parameters]"),
    "a column without a place": (
        lambda: matrix(np.zeros((2, 9), np.float32)),
        {"row": 0},
        "all.layout.csv: got parameters for 8 columns, wanted 9, all that the matrix has",
    ),
    "a gap": (
        lambda: matrix(ONE, LAYOUT.replace("6,7,[2]", "7,7,[1]")),
        {"row": 0},
        "all.layout.csv: got 0.bias from column 7 on, wanted it from 6 on",
    ),
    "an overlap": (
        lambda: matrix(ONE, LAYOUT.replace("6,7,[2]", "5,7,[3]")),
        {"row": 0},
        "all.layout.csv: got 0.bias from column 5 on, wanted it from 6 on",
    ),
    "a shape of another size": (
        lambda: matrix(ONE, LAYOUT.replace("[2]", "[3]")),
        {"row": 0},
        "all.layout.csv, line 3: got columns 6 to 7, wanted 3 for shape [3]",
    ),
    "a shape that is none": (
        lambda: matrix(ONE, LAYOUT.replace("[2]", "2x1")),
        {"row": 0},
        "all.layout.csv, line 3: shape: got '2x1', wanted such as [64, 10]",
    ),
    "a column that is none": (
        lambda: matrix(ONE, LAYOUT.replace("6,7", "6,-7")),
        {"row": 0},
        "line 3: got 6 to -7, wanted two whole numbers, the first and the last column",
    ),
    "a cell too few": (lambda: matrix(ONE, LAYOUT + "a,8\n"), {"row": 0}, "line 4: got 2 cells, wanted 4"),
    "a name twice": (
        lambda: matrix(ONE, LAYOUT.replace("0.weight", "0.bias")),
        {"row": 0},
        "all.layout.csv: got a name a second time, wanted every name once",
    ),
    "another header": (lambda: matrix(ONE, "a,b\n"), {"row": 0}, "got columns a,b, wanted name,first,last,shape"),
    "no header": (lambda: matrix(ONE, ""), {"row": 0}, "got columns , wanted name,first,last,shape"),
    "a layout that is no csv": (lambda: matrix(ONE, 'a,"b'), {"row": 0}, "all.layout.csv: got no csv, "),
    "another hash": (saved, {"sha256": "ab" * 32}, f", wanted {'ab' * 32}, as its table says"),
    "another hash of the layout": (
        lambda: matrix(ONE),
        {"row": 0, "layout_sha256": "ab" * 32},
        f", wanted {'ab' * 32}, as its table says",
    ),
    "another loss": (
        saved,
        {"losses": {"test_loss": 0.5}},
        "a.pt: test_loss: got 0.5 for mine from its table, wanted ",
    ),
    "a loss that is no number": (saved, {"losses": {"train_loss": math.nan}}, "a.pt: train_loss: got nan for mine"),
}


@pytest.mark.fault(fault="a file with a model from elsewhere that is wrong", sees="`FILE: got ..., wanted ...`")
@pytest.mark.parametrize(("write", "said", "line"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_wrong_file_gives_a_line(write, said, line):
    file = write()
    with pytest.raises(ValueError, match=rf"^{file.split('.')[0]}") as caught:
        imported(file, **said)
    assert line in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_accuracy_of_a_regression_is_refused():
    rows = Rows(torch.ones(4, 3), torch.ones(4, 2), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
    said = row(saved(), losses={"accuracy": 0.5})
    with pytest.raises(
        ValueError, match=r"^a.pt: accuracy: got 0.5 for mine, wanted none: its targets are no classes$"
    ):
        import_shard(pool({**FCNN, "loss": "mse_loss"}), [said], Dataset(rows, rows), CPU)


def test_a_network_that_does_not_fit_the_data_is_refused():
    with pytest.raises(ValueError, match=r"^architecture fcnn: cannot be applied to the data set"):
        import_shard(pool(), [row(saved())], examples((4,), 2), CPU)


# The page


PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8").split("\n## Models trained elsewhere\n")[1]


def test_the_pages_pool_is_imported_as_the_page_says(config, dataset, tmp_path):
    """With the hashes in place of how to find them."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    table, block = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[1] for kind in ("text", "yaml"))
    Path("pools/more").mkdir(parents=True)
    for row in csv.DictReader(table.splitlines()):
        network = build_network("fcnn", {"widths": json.loads(row["options.widths"])})
        write = save_file if row["path"].endswith("safetensors") else torch.save
        write(network.state_dict(), f"pools/{row['path']}")
        table = table.replace(f"<the output of sha256sum {row['path']}>", sha256(f"pools/{row['path']}"))
    Path("pools/theirs.csv").write_text(table)
    said = block.replace("<the output of sha256sum pools/theirs.csv>", sha256("pools/theirs.csv"))
    plan = Plan(read_settings(merged(deepcopy(config), plain_config(yaml.safe_load(said)))), lambda rule: ROOT / rule)
    found = [
        import_shard(
            PoolSettings.model_validate(plan.pool(**shard)),
            [ModelRow(line=0, **row) for row in plan.imported.rows(**shard)],
            dataset("abalone"),
            CPU,
        ).table
        for shard in plan.shards
    ]
    assert [[row["id"] for row in rows] for rows in found] == [["first", "second"], ["third"]]
    assert [row["lr"] for rows in found for row in rows] == ["0.1", "0.2", "0.2"]


def test_the_page_names_all_columns_formats_and_wrappers():
    named = set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))
    assert {*KNOWN, *ENDINGS, *PREFIXES, *WRAPPERS, ",".join(COLUMNS)} <= named
    assert all(form in PAGE for form in FORMATS)


def test_the_command_names_all_formats(capsys):
    with pytest.raises(SystemExit):
        cli.main(["export", "--help"])
    assert f"{{{','.join(FORMATS)}}}" in capsys.readouterr().out


@pytest.mark.parametrize("pool", ["fcn", "report/fcn"])
def test_a_pool_that_there_is_not_is_not_exported(pool, tmp_path, capsys):
    (tmp_path / "config").symlink_to(ROOT / "config")
    assert cli.main(["export", pool, "--to", "numpy"]) == 2
    wanted = "wanted one of report/fcnn, report/lenet5, report/gat"
    assert capsys.readouterr().err.startswith(f"pool: got {pool!r}, {wanted}")


def test_a_pool_of_two_protocols_is_named_with_one():
    gat = PoolSettings.model_construct()
    study = Study.model_construct(protocols={"report": {"gat": gat}, "other": {"gat": gat}})
    assert str(named_pool(study, "other/gat")) == "other/gat"
    with pytest.raises(ValueError, match=r"^pool: got 'gat', wanted one of report/gat, other/gat"):
        named_pool(study, "gat")
