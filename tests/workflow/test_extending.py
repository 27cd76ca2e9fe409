"""The page on extending, as its reader follows it: each of its files, and the study of all of them."""

import csv
import re
import shutil
import sys
from html import unescape
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.fetching.soundness import sound_dataset
from adaptive_sharpness.study.measuring.shard import take
from adaptive_sharpness.study.report.drawings import draw_figures
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.tau import read_test_losses, tau_table
from adaptive_sharpness.study.training.networks import build_network
from adaptive_sharpness.study.training.shard import train_shard

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.split("\n## One file of each kind\n")[1], re.DOTALL))
FILES = {path: text for path, text in BLOCKS.items() if path.endswith(".py")}
CONFIG = plain_config(yaml.safe_load(BLOCKS["config/iris.yaml"]))
with open(ROOT / "docs/mistakes.csv", newline="", encoding="utf-8") as table:
    LINES = [row["line"].strip("`") for row in csv.DictReader(table)]
UNKNOWN, MISSING, OF_PACKAGE, OF_TORCH, NO_FUNCTION, NO_PYTHON, NO_IMPORT, NO_MEASURED, INSIDE = LINES  # of mistakes
KINDS = (
    *("architectures", "datasets", "figures", "initialisations", "losses", "measures", "optimisers", "statistics"),
    "trainers",
)
POOL = "protocols.report.residual_mlp"


def write_files(folder: Path, changed: dict[str, str] | None = None) -> None:
    for path, text in {**FILES, **(changed or {})}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder with the page's plug-ins, and the shipped config."""
    write_files(tmp_path)
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(changes: dict | None = None):
    base = plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    return read_settings(merged(merged(base, CONFIG), changes or {}))


def within(path: str, value) -> dict:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


# The study


@pytest.fixture(scope="module")
def study(fresh, tmp_path_factory):
    """The study of the page's last section."""
    study = fresh(tmp_path_factory.mktemp("iris") / "project", CONFIG)
    write_files(study.folder)
    (study.folder / "data/local/iris").mkdir(parents=True)
    shutil.copy(files("sklearn.datasets") / "data/iris.csv", study.folder / "data/local/iris")
    study.run = study.snakemake("--cores", "2")
    assert study.run.code == 0, study.run.output
    return study


def test_the_page_has_a_file_of_each_of_nine_kinds():
    assert sorted(path.split("/")[1] for path in FILES) == sorted(KINDS)
    assert all(path.startswith("plugins/") for path in FILES)


def test_all_quantities_reach_the_tables(study):
    runs = pd.read_parquet(study.folder / "results/tables/runs.parquet")
    tau = pd.read_csv(study.folder / "results/tables/tau.csv")
    mine = runs[runs["measure"] == "gradient_norm"]
    assert mine.groupby("quantity")["seed"].nunique().to_dict() == {"distance": 20, "gradient_norm": 20}
    assert mine["rho"].isna().all()
    assert (mine["value"] > 0).all()
    rows = tau.set_index(["measure", "quantity"])
    assert rows.loc[("gradient_norm", "gradient_norm"), "headline"].all()
    assert not rows.loc[("gradient_norm", "distance"), "headline"].any()


def test_the_statistic_has_a_column_that_is_right(study):
    runs = pd.read_parquet(study.folder / "results/tables/runs.parquet")
    tau = pd.read_csv(study.folder / "results/tables/tau.csv")
    keys = ["measure", "rho", "quantity"]
    for labels, models in runs.groupby(keys, dropna=False):
        row = tau[(tau[keys].fillna(-1) == pd.Series(labels, keys).fillna(-1)).all(axis=1)]
        ranks = models["value"].rank().corr(models["test_loss"].rank())
        assert row["spearman"].item() == pytest.approx(ranks, abs=1e-12)


def test_the_statistic_and_the_figure_are_on_the_page(study):
    page = unescape(study.read("results/report.html").decode())
    assert "Spearman's ρ" in page
    assert "The test losses of each pool" in page
    assert "the pools share no axis" in page
    for ending in ("svg", "pdf"):
        assert (study.folder / f"results/figures/test_losses.{ending}").stat().st_size > 1000


def test_the_initial_weights_are_those_that_the_distance_starts_from(study):
    """The distance, from the two checkpoints alone."""
    stem = study.folder / "results/checkpoints/report/residual_mlp"
    (first,) = sorted(path for path in stem.glob("seeds-000-*.safetensors") if path.name.count(".") == 1)
    after, before = load_file(first), load_file(first.with_name(first.name.replace(".safe", ".initial.safe")))
    names = [name for name in after if name.startswith("state.")]
    moved = torch.cat([(after[name][3] - before[name][3]).flatten() for name in names]).double().norm().item()
    runs = pd.read_parquet(study.folder / "results/tables/runs.parquet")
    found = runs[(runs["quantity"] == "distance") & (runs["seed"] == 3)]["value"].item()
    assert found == pytest.approx(moved, rel=1e-6)


def test_a_change_of_a_plugin_remakes_the_jobs_that_use_it_and_no_other(study, tmp_path):
    copy = study.copy(tmp_path / "project")
    assert copy.plan().idle
    copy.append("plugins/measures/gradient_norm.py", "\nchanged = True\n")
    tables = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "metrics": 1, "report": 1}
    assert copy.plan().jobs == {"measure": 2, **tables}


@pytest.mark.fault(
    fault="an error inside a plug-in",
    sees="`ERROR: ... (FILE, line)`, and the traceback in the job's log",
    lost="nothing",
)
def test_an_error_inside_a_plugin_is_one_line_with_its_place(study, tmp_path):
    copy = study.copy(tmp_path / "project")
    text = FILES["plugins/measures/gradient_norm.py"].replace("    norms = []\n", "    norms = [1 / 0]\n")
    write_files(copy.folder, {"plugins/measures/gradient_norm.py": text})
    run = copy.snakemake("--cores", "1")
    line = 1 + text.splitlines().index("    norms = [1 / 0]")
    said = INSIDE.replace("mine.py, line 7", f"gradient_norm.py, line {line}")
    assert run.code == 1
    assert said in run.output.splitlines()
    logs = list((copy.folder / "logs/measure/report/residual_mlp/gradient_norm").rglob("*.log"))
    assert any("Traceback" in log.read_text() and said in log.read_text() for log in logs)


# Mistakes that a config shows


OF_CONFIG = {
    "an architecture's option": (within(f"{POOL}.options", {"widht": 8}), UNKNOWN),
    "an optimiser's option": (
        within(f"{POOL}.training.optimiser", {"radios": 1}),
        f"config: {POOL}.training.optimiser.radios: got 'radios', wanted one of name, lr, radius "
        "(did you mean radius?)",
    ),
    "a measure's option": (
        within("measures.gradient_norm", {"ordr": 1}),
        "config: measures.gradient_norm.ordr: got 'ordr', wanted one of estimator, protocols, batches, batch_size, "
        "seed, stacked, on, order (did you mean order?)",
    ),
    "a measure's option of another kind": (
        within("measures.gradient_norm.order", "two"),
        "config: measures.gradient_norm.order: got 'two', wanted a whole number, at least 0",
    ),
    "a radius of a measure without a ball": (
        within("measures.gradient_norm.on.residual_mlp.rho", [0.1]),
        "config: measures.gradient_norm.on.residual_mlp.rho: got [0.1], wanted none: gradient_norm knows no radius",
    ),
    "an option of a loss": (
        within(f"{POOL}.loss", {"name": "smoothed_cross_entropy"}),
        f"config: {POOL}.loss: got {{'name': 'smoothed_cross_entropy'}}, wanted a loss of torch.nn.functional, or a "
        "file of plugins/losses",
    ),
    "an option of a data set": (
        within("datasets.iris.standardised", True),
        "config: datasets.iris.standardised: got 'standardised', wanted one of raw, sha256, sources, limit",
    ),
}


@pytest.mark.parametrize(("changes", "line"), OF_CONFIG.values(), ids=OF_CONFIG)
def test_a_wrong_option_gives_a_line(home, changes, line):
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
        settings(changes)


def test_an_option_that_is_missing_gives_a_line(home):
    changed = {**CONFIG, **within(f"{POOL}.options", {"features": 4})}
    changed["protocols"]["report"]["residual_mlp"] = {
        **CONFIG["protocols"]["report"]["residual_mlp"],
        "options": {"features": 4},
    }
    base = plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    with pytest.raises(ValueError, match=rf"^{re.escape(MISSING)}$"):
        read_settings(merged(base, changed))


PACKAGES = {
    "architectures": "fcnn",
    "datasets": "cora",
    "measures": "hessian",
    "statistics": "power",
    "figures": "trust",
}


@pytest.mark.parametrize(("kind", "name"), PACKAGES.items(), ids=PACKAGES)
def test_a_name_of_the_package_gives_a_line(home, kind, name):
    function = plugins.KINDS[kind].function or name
    (home / f"plugins/{kind}/{name}.py").write_text(f"def {function}(*values, seed=0): ...\n")
    line = OF_PACKAGE.replace("measures/hessian", f"{kind}/{name}")
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
        settings()


def test_a_name_of_torch_gives_a_line(home):
    """Of its losses: what else it has begins with a capital letter, as no file does."""
    (home / "plugins/losses/mse_loss.py").write_text("def mse_loss(outputs, targets, reduction): ...\n")
    with pytest.raises(ValueError, match=rf"^{re.escape(OF_TORCH)}$"):
        settings()


def test_a_loss_without_reduction_gives_a_line(home):
    (home / "plugins/losses/smoothed_cross_entropy.py").write_text(
        "def smoothed_cross_entropy(outputs, targets): ...\n"
    )
    wanted = "wanted smoothed_cross_entropy(outputs, targets, reduction) in plugins/losses/smoothed_cross_entropy.py"
    line = f"config: {POOL}.loss: got a function without reduction, {wanted}"
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
        settings()


VERSION = f"Python {sys.version_info.major}.{sys.version_info.minor}"
FILES_OF_NO_USE = {
    "without its function": ("def other(model, loss, batches, *, seed): ...\n", NO_FUNCTION),
    "no Python": ("\n\ndef mine(:\n", NO_PYTHON.replace("Python 3.11", VERSION)),
}
MINE = within("measures.mine", {"batches": 2, "on": {"residual_mlp": {}}})


@pytest.mark.parametrize(("text", "line"), FILES_OF_NO_USE.values(), ids=FILES_OF_NO_USE)
def test_a_file_that_is_of_no_use_gives_a_line(home, text, line):
    (home / "plugins/measures/mine.py").write_text(text)
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
        settings(MINE)


# Mistakes that show when the plug-in is called


def test_a_file_that_cannot_be_imported_gives_a_line(home):
    """Not before, since a config runs no plug-in."""
    (home / "plugins/measures/mine.py").write_text("import x\n\n\ndef mine(model, loss, batches, *, seed): ...\n")
    settings(MINE)
    with pytest.raises(ValueError, match=rf"^{re.escape(NO_IMPORT)}$"):
        plugins.resolve("measures", "mine")


def dataset(home: Path) -> Dataset:
    (home / "raw").mkdir(exist_ok=True)
    shutil.copy(files("sklearn.datasets") / "data/iris.csv", home / "raw")
    return sound_dataset("iris", plugins.resolve("datasets", "iris")(home / "raw"))


def train(home: Path, _) -> None:
    pool = settings().protocols["report"]["residual_mlp"].for_training("residual_mlp")
    train_shard(PoolSettings.model_validate(pool), dataset(home), [0], torch.device("cpu"))


def measure(home: Path, _) -> None:
    network = build_network("residual_mlp", {"features": 4, "classes": 3}).eval()
    pair = (torch.zeros(2, 4), torch.tensor([0, 1]))
    initial = {name: value.detach().clone() for name, value in network.named_parameters()}
    take("gradient_norm", network, cross_entropy, [pair], {"seed": 0, "initial": initial})


def tables(results: Path) -> Tables:
    there = results / "tables"
    return Tables(
        pd.read_parquet(there / "runs.parquet"), pd.read_csv(there / "tau.csv"), pd.read_csv(there / "estimates.csv")
    )


def compute_tau(_: Path, results: Path) -> None:
    losses = read_test_losses(sorted(results.rglob("*.test_losses.safetensors")))
    found = tables(results)
    tau_table(found.runs, {}, found.estimates, losses)


def draw(_: Path, results: Path) -> None:
    draw_figures(tables(results))


CALLS = {
    "datasets": lambda home, _: dataset(home),
    "architectures": lambda *_: build_network("residual_mlp", {"features": 4, "classes": 3}),
    **dict.fromkeys(("initialisations", "losses", "optimisers", "trainers"), train),
    "measures": measure,
    "statistics": compute_tau,
    "figures": draw,
}
RETURNS = {
    "datasets": ("    return Dataset(", "    return dict(", "data set iris: load() gave dict, wanted a Dataset"),
    "architectures": (
        "    return nn.Sequential(\n        nn.Linear(features, width), *(Residual(width) for _ in range(blocks)), "
        "nn.Linear(width, classes)\n    )\n",
        "    return nn.Identity()\n",
        "architecture residual_mlp: build() gave no parameters, wanted a network with parameters",
    ),
    "losses": (
        "reduction=reduction, ",
        "reduction='none', ",
        "loss smoothed_cross_entropy: got shape [2], wanted a tensor with one number, the mean over examples",
    ),
    "optimisers": (
        "    return Sam(parameters, lr, radius)",
        "    return lr",
        "optimiser sam: build() gave float, wanted what has step()",
    ),
    "trainers": (
        "    return descend(",
        "    return 0 and descend(",
        "trainer drawn_batches: got int from train(), wanted a list with the training loss of every epoch",
    ),
    "measures": (
        "    return Measured(",
        "    return float(order) or Measured(",
        NO_MEASURED.replace("mine", "gradient_norm"),
    ),
    "statistics": ('{"spearman": ', '{"rho": ', "statistic spearman: got a row with rho, wanted spearman"),
    "figures": (
        'return {"": figure}',
        "return [figure]",
        "figure test_losses: got list from draw(), wanted a mapping from folders to Matplotlib's figures",
    ),
}
FUNCTIONS = {
    "datasets": "def load(raw: Path) -> Dataset:\n",
    "architectures": "def build(features: int, classes: int, width: int = 16, blocks: int = 2) -> nn.Module:\n",
    "losses": 'def smoothed_cross_entropy(outputs: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:\n',
    "optimisers": "def build(parameters, lr: float, radius: float = 0.05) -> Sam:\n",
    "initialisations": "def he_normal(network: nn.Module, draw: Generator) -> None:\n",
    "trainers": "def train(network, split, loss, seed, *, optimiser, schedule, batch_size, stop, steps: int = 8):\n",
    "measures": "def gradient_norm(model, loss, batches, *, seed: int, initial: dict, order: int = 2) -> Measured:\n",
    "statistics": "def spearman(comparisons):\n",
    "figures": "def draw(tables):\n",
}


def change(home: Path, kind: str, old: str, new: str) -> Path:
    """Change the page's file of a kind; return its path from the folder."""
    (path,) = [path for path in FILES if path.startswith(f"plugins/{kind}/")]
    assert FILES[path].count(old) == 1
    (home / path).write_text(FILES[path].replace(old, new))
    return Path(path)


@pytest.mark.fault(fault="a plug-in that returns something else, of each kind", sees="`KIND NAME: got ..., wanted ...`")
@pytest.mark.parametrize("kind", RETURNS)
def test_a_wrong_return_gives_a_line(home, study, kind):
    old, new, line = RETURNS[kind]
    change(home, kind, old, new)
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
        CALLS[kind](home, study.folder / "results")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_inside_gives_a_line_with_its_place(home, study, kind, monkeypatch, capsys):
    """As a job prints it, whose last words `job.start` prepares."""
    path = change(home, kind, FUNCTIONS[kind], f"{FUNCTIONS[kind]}    1 / 0\n")
    place = 1 + (home / path).read_text().splitlines().index("    1 / 0")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    job.start(str(home / "log"))
    with pytest.raises((ValueError, ZeroDivisionError)) as caught:
        CALLS[kind](home, study.folder / "results")
    sys.excepthook(caught.type, caught.value, caught.tb)
    (said,) = capsys.readouterr().err.splitlines()
    assert "division by zero" in said
    assert said.endswith(f" ({path}, line {place})") or kind == "architectures"
    assert f"{path}" in said or "architecture residual_mlp: options" in said
    assert "Traceback" in (home / "log").read_text()
