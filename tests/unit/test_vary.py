"""Pools whose settings vary: what a config's `vary` comes to, each mistake in it, and what a change of it remakes."""

import json
import re
from collections import Counter
from copy import deepcopy
from math import nan
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake.target_jobs import parse_target_jobs_cli_args
from snakemake_interface_executor_plugins.utils import TargetSpec, encode_target_jobs_cli_args

from adaptive_sharpness.study.config.axes import COLUMNS
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.config.settings_of_pool import settings_of
from adaptive_sharpness.study.plan import Job, Plan

ROOT = Path(__file__).parents[2]
CONFIG = json.loads(json.dumps(plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))))
WHERE = "protocols.report.fcnn"
LR, BATCH, WIDTHS = "training.optimiser.lr", "training.batch_size", "options.widths"
ADAM = {"training.optimiser": {"name": "Adam", "lr": 0.001}, "stacked": 1}
SGD = {"training.optimiser": {"name": "SGD", "lr": 0.5}}
RECIPES = {"sgd": SGD, "adam": ADAM}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The folder that Snakemake is called from; here lie tables of settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def varied(vary: dict, **block) -> dict:
    changed = merged(deepcopy(CONFIG), {"only": "report/fcnn", "seeds": 4})
    changed["protocols"]["report"]["fcnn"] |= {"vary": vary, **block}
    return changed


def settings(vary: dict, **block) -> dict[str, PoolSettings]:
    pool = read_settings(varied(vary, **block)).protocols["report"]["fcnn"]
    return {setting.name: setting.block for setting in settings_of(WHERE, pool)}


def optimisers(vary: dict, **block) -> dict[str, tuple[str, float]]:
    found = {name: each.training.optimiser for name, each in settings(vary, **block).items()}
    return {name: (each.name, each.options["lr"]) for name, each in found.items()}


# What a pool varies


def test_axes_are_combined():
    found = settings({LR: [0.1, 0.01], WIDTHS: [[10, 128, 1], [10, 64, 1]]})
    assert list(found) == [f"lr={lr}+widths=10-{width}-1" for lr in (0.01, 0.1) for width in (64, 128)]
    block = found["lr=0.1+widths=10-64-1"]
    assert (block.training.optimiser.options["lr"], block.options["widths"]) == (0.1, [10, 64, 1])
    assert block.options["activation"] == "ReLU"  # as the pool's block says


def test_a_pool_that_varies_nothing_has_one_setting_without_a_name():
    assert list(settings({})) == [""]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((1e-5, "1e-05"), (1.0, "1"), (-2, "-2"), (True, "true"), ("tanh", "tanh"), ([], "empty")),
        *(("a b/c,d+e=f", "a_b_c_d_e_f"), (1e16, "1e16"), (-2e-7, "-2e-07"), ({"b": 1, "a": [2, 3]}, "a-2-3-b-1")),
    ],
)
def test_a_level_is_spelled_without_letters_that_a_path_minds(value, name):
    found = settings_of("pool", PoolSettings(**POOL, vary={"options.key": [value]}))
    assert [setting.name for setting in found] == [f"key={name}"]


POOL = {
    "dataset": "abalone",
    "options": {"widths": [10, 1]},
    "initialisation": "xavier_uniform",
    "loss": "mse_loss",
    "training": {"optimiser": {"name": "SGD", "lr": 0.25}, "stop": {"max_epochs": 3}},
}


def test_an_axis_is_called_by_more_of_its_key_where_two_end_alike():
    vary = {"training.optimiser.name": ["SGD"], "training.schedule.name": ["StepLR"]}
    [found] = settings_of("pool", PoolSettings(**POOL, vary=vary))
    assert found.name == "optimiser.name=SGD+schedule.name=StepLR"


def test_named_levels_set_several_keys_and_a_factor_multiplies_what_they_set():
    found = optimisers({"recipe": RECIPES, LR: {"times": [0.5, 2]}})
    wanted = {"sgd": ("SGD", 0.5), "adam": ("Adam", 0.001)}
    assert found == {
        f"lr_times={factor}+recipe={name}": (kind, rate * factor)
        for name, (kind, rate) in wanted.items()
        for factor in (0.5, 2)
    }


def test_a_factor_of_a_whole_number_is_one_where_it_can_be():
    found = settings({BATCH: {"times": [0.5, 2.0]}})
    assert [repr(each.training.batch_size) for each in found.values()] == ["32", "128"]


def test_a_table_has_a_row_a_setting(folder):
    (folder / "settings.csv").write_text(f'{LR},{WIDTHS}\n1e-2,"[10, 8, 1]"\n0.002,"[10, 4, 1]"\n')
    found = settings({"table": "settings.csv"})
    assert {name: each.options["widths"] for name, each in found.items()} == {
        "lr=0.002+widths=10-4-1": [10, 4, 1],
        "lr=0.01+widths=10-8-1": [10, 8, 1],
    }
    assert len(settings({"table": "settings.csv", BATCH: [32, 64]})) == 4


def test_the_block_of_the_page_is_a_config_of_twelve_settings():
    page = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```yaml\n# config/recipes.yaml\n(.*?)```", page, re.DOTALL)
    study = read_settings(merged(deepcopy(CONFIG), plain_config(yaml.safe_load(text))))
    found = {each.name: each.block for each in settings_of("pool", study.protocols["recipes"]["abalone"])}
    assert len(found) == 12
    assert "lr_times=0.3+recipe=sgd+widths=10-64-64-1" in found
    adam = found["lr_times=3+recipe=adam+widths=10-128-128-1"].training
    assert (adam.optimiser.name, adam.optimiser.options["lr"], adam.batch_size) == ("Adam", 3 * 0.001, 32)


# Mistakes


def table(text: str):
    return lambda: Path("settings.csv").write_text(text)


TABLE = {"table": "settings.csv"}
BAD = [
    # a vary, where in it, what is said
    ({"training.optimizer.lr": [1]}, "training.optimizer.lr", "got 'optimizer', wanted one of .*mean optimiser"),
    ({"trainin.batch_size": [1]}, "trainin.batch_size", "got 'trainin', wanted one of .*mean training"),
    ({"seeds": [1, 2]}, "seeds", "got 'seeds', wanted one of dataset"),
    ({"checkpoints.table": ["a", "b"]}, "checkpoints.table", "got 'checkpoints', wanted one of dataset"),
    ({"options.widhts": [[10, 1]]}, "options.widhts", "got 'widhts', wanted one of .*mean widths"),
    ({"loss.p": [1]}, "loss.p[0]", "got a key inside of 'mse_loss', wanted one of a mapping"),
    ({LR: [0.1, -1]}, f"{LR}[1]", "got -1, wanted a learning rate, above 0"),
    ({LR: ["fast"]}, f"{LR}[0]", "got 'fast', wanted a learning rate"),
    ({BATCH: [64, 0.5]}, f"{BATCH}[1]", "got 0.5, wanted a whole number of examples, at least 1"),
    ({BATCH: 64}, BATCH, "got 64, wanted a list of levels"),
    ({BATCH: "some"}, BATCH, "got 'some', wanted a list of levels; only table takes a file"),
    ({BATCH: []}, BATCH, r"got \[\], wanted a list of levels"),
    ({LR: [0.1, 0.2, 1e-1]}, f"{LR}[2]", "got 0.1 a second time, wanted every level once"),
    ({BATCH: [64, 64.0]}, f"{BATCH}[1]", "got 64.0 a second time, wanted every level once"),
    ({WIDTHS: [[10, 1], "10-1"]}, f"{WIDTHS}[1]", r"got '10-1', spelled 10-1 as \[10, 1\] is, wanted another level"),
    # factors
    ({LR: {"times": []}}, f"{LR}.times", r"got \[\], wanted a list of factors"),
    ({LR: {"times": [1, "2x"]}}, f"{LR}.times[1]", "got '2x', wanted a finite number"),
    ({LR: {"times": [1, -1]}}, f"{LR}.times[1]", "got -0.014, wanted a learning rate"),
    ({BATCH: {"times": [0.3]}}, f"{BATCH}.times[0]", "got 19.2, wanted a whole number of examples"),
    (
        {"loss": {"times": [2]}},
        "loss.times[0]",
        "got a factor of 'mse_loss' in the setting loss_times=2, wanted a number",
    ),
    (
        {f"{LR}s": {"times": [2]}},
        f"{LR}s.times[0]",
        "got a factor of nothing in the setting lrs_times=2, wanted a number",
    ),
    # named levels
    ({"recipe": {}}, "recipe", "got {}, wanted a mapping from names of levels"),
    ({"recipe": {"sgd": 1}}, "recipe.sgd", "got 1, wanted a mapping of keys"),
    ({"recipe": {"sgd": {"training.optimser": {}}}}, "recipe.sgd.training.optimser", "got 'optimser', wanted one of"),
    (
        {"recipe": {"adam": {"training.optimiser": {"name": "Adm"}}}},
        "recipe.adam.training.optimiser.name",
        ".*mean Adam",
    ),
    ({"recipe": {"adam": {**ADAM, "stacked": 2}}}, "recipe.adam.stacked", "got 2, wanted 1: the optimiser Adam"),
    ({"recipe": {"a": {1: 2}}}, "recipe.a", "got the key 1, wanted a text for a key"),
    ({"options..a": [1]}, "options..a", "got the key 'options..a', wanted names between dots"),
    ({"options.activation": [{"b": nan}]}, "", "in the setting activation=b-nan, options: got {.*nan}.*, wanted texts"),
    ({"recipe": {"sgd": {**SGD, LR: 1}}}, f"recipe.sgd.{LR}", "got a key inside of training.optimiser"),
    ({LR: {"a": {BATCH: 1}}}, LR, "got {.*}, wanted a list of levels, {times:"),
    ({"recipe": RECIPES, LR: [1]}, f"{LR}[0]", f"got a key that {WHERE}.vary.recipe.sgd.training.optimiser sets too"),
    ({"recipe": RECIPES, "other": {"a": SGD}}, "other.a.training.optimiser", "got a key that .* sets too"),
    ({"recipe": {"one": SGD, "two": SGD}}, "", "got the setting recipe=one again as recipe=two, wanted every"),
    ({"recipe": {"a": SGD, "b": {**SGD, BATCH: 64}}}, "", "got the setting recipe=a again as recipe=b"),  # the default
    # names
    (
        {"seed": {"a": SGD}},
        "seed",
        "got the name seed, which is a column of runs.parquet, wanted an axis of another name",
    ),
    ({"options.value": [1, 2]}, "options.value", "got the name value, which is a column of runs.parquet"),
    ({"options.a b": [1], "options.a_b": [1]}, "", "got two axes that are spelled a_b, wanted names that differ"),
    ({"options.text": ["a" * 200]}, "", "got a setting whose folder would be called .*, wanted at most 200 letters"),
    (
        {"dataset": ["abalone", "cora"]},
        "dataset[1]",
        "got 'cora', wanted a data set with the raw files and the test split",
    ),
    ({f"options.{key}": list(range(50)) for key in "abc"}, "", "got 125000 settings, wanted at most 100000"),
    # tables
    ({"table": 3}, "table", "got 3, wanted a list of levels; or"),
    ({"table": ["a.csv"]}, "table", r"got \['a.csv'\], wanted a csv file"),
    ({"table": "none.csv"}, "table", "got 'none.csv', No such file or directory, wanted a csv file, read from /"),
    (TABLE, "table", "got 'settings.csv' without rows", table(f"{LR}\n")),
    (TABLE, "table", "got 'settings.csv' without rows", table("")),
    (TABLE, "table, settings.csv", "got the column .* a second time", table(f"{LR},{LR}\n1,2\n")),
    (TABLE, "table, settings.csv, column lr", "got 'lr', wanted one of dataset", table("lr\n1\n")),
    (TABLE, "table, settings.csv, row 2", "got 1 cells, wanted 2, one a column", table(f"{LR},{BATCH}\n1,2\n1\n")),
    (TABLE, f"table, settings.csv, row 1, column {LR}", "got '', wanted a value", table(f"{LR},{BATCH}\n,2\n")),
    (TABLE, f"table, settings.csv, row 1, column {WIDTHS}", r"got '\[1', wanted a value", table(f"{WIDTHS}\n[1\n")),
    (TABLE, "table, settings.csv", "got row 2 equal to row 1", table(f"{LR}\n0.1\n1e-1\n")),
    (TABLE, f"table, settings.csv, row 2, {LR}", "got -1, wanted a learning rate", table(f"{LR}\n0.1\n-1\n")),
    ({**TABLE, LR: [1]}, f"{LR}[0]", "got a key that .*row 1, .* sets too", table(f"{LR}\n0.1\n")),
]


@pytest.mark.fault(fault="a mistake in what a pool varies", sees="`config: KEY: got ..., wanted ...`")
@pytest.mark.parametrize(
    ("vary", "place", "said", "before"),
    [(*each, None)[:4] for each in BAD],
    ids=lambda v: "before" if callable(v) else str(v)[:50],
)
def test_a_mistake_gives_a_line_that_says_where_it_is(vary, place, said, before):
    if before:
        before()
    where = f"{WHERE}.vary.{place}".rstrip(".").replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(ValueError, match=rf"^config: {where}: {said}") as caught:
        read_settings(varied(vary))
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_that_is_no_text_gives_a_line(folder):
    (folder / "settings.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"got 'settings\.csv', which is no text, wanted a csv file in UTF-8"):
        read_settings(varied(TABLE))


def test_a_mistake_that_no_level_makes_is_the_blocks_own():
    with pytest.raises(ValueError, match=rf"^config: {WHERE}.initialisation: got 'xavier'"):
        read_settings(varied({LR: [1, 2]}, initialisation="xavier"))


def test_a_mistake_of_levels_together_names_the_setting():
    with pytest.raises(ValueError, match=r"fcnn.vary: in the setting recipe=adam, stacked: got 25, wanted 1: the opt"):
        read_settings(varied({"recipe": {"adam": {"training.optimiser": ADAM["training.optimiser"]}}}))


def test_a_measure_at_the_rate_of_training_needs_one_in_every_setting():
    with pytest.raises(ValueError, match=rf"rate: got training, wanted a number: {WHERE} gives its optimiser no lr"):
        read_settings(varied({"recipe": {"a": {"training.optimiser": {"name": "SGD"}}}}))


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "ladder",
            {"fcnn": [{"switch": "a", "describes": "b", "protocol": "report", "measure": "hessian"}] * 2},
            "ladder",
        ),
        ("replicates", {"protocol": "report", "measure": "hessian", "size": 3}, "replicates.protocol"),
    ],
)
def test_a_table_of_independent_models_takes_no_pool_that_varies(key, value, line):
    with pytest.raises(ValueError, match=rf"{line}.*: got report, whose fcnn varies, wanted"):
        read_settings({**varied({LR: [1, 2]}), key: value})


def test_names_of_axes_are_held_against_all_columns_of_runs():
    sometimes = {"part", "reached", "keep_unreached", "id"}
    assert set(pd.read_parquet(ROOT / "docs/results/runs.parquet").columns) | sometimes == COLUMNS


# What is planned


def jobs(vary: dict, **block) -> dict[str, Job]:
    plan = Plan(read_settings(varied(vary, **block)), lambda rule: ROOT / f"workflow/scripts/{rule}.py")
    return {job.outputs[0]: job for job in plan.jobs()}


def done_again(before: dict[str, Job], after: dict[str, Job]) -> Counter:
    """The rules whose jobs Snakemake would do: those of new outputs, and those that were planned in another way."""
    return Counter(job.rule for output, job in after.items() if before.get(output) != job)


TWO = {LR: [0.1, 0.2], BATCH: [32, 64]}
MEASUREMENTS = 16  # of the shipped study on its FCNN: 5 radii of 3 measures, and the Hessian
TABLES = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "metrics": 1, "report": 1}


def test_a_setting_is_a_folder_behind_its_pool():
    found = jobs(TWO, seeds=50)
    checkpoints = [path for path, job in found.items() if job.rule == "train"]
    stems = [f"results/checkpoints/report/fcnn/batch_size={b}+lr={lr}" for b in (32, 64) for lr in (0.1, 0.2)]
    assert checkpoints == [f"{stem}/seeds-{seeds}.safetensors" for stem in stems for seeds in ("000-024", "025-049")]
    path = "results/sharpness/report/fcnn/batch_size=32+lr=0.1/worst_case/rho-0.025/seeds-000-024.parquet"
    assert found[path].inputs[1] == checkpoints[0]
    assert found[path].settings["pool"] == found[checkpoints[0]].settings["pool"]
    assert found[path].settings["labels"]["setting"] == "/batch_size=32+lr=0.1"


def test_a_cluster_gets_each_setting_as_it_is():
    """Of a job there Snakemake spells the labels on a command line, where a comma would part them."""
    plan = Plan(read_settings(varied({**TWO, "recipe": {"a+b, c": {"stacked": 1}}})), lambda rule: Path(rule))
    specs = [TargetSpec("measure", labels) for labels in plan.measured]
    assert [
        spec.wildcards_dict for spec in parse_target_jobs_cli_args(encode_target_jobs_cli_args(specs))
    ] == plan.measured


def test_a_pool_that_varies_nothing_says_nothing_of_settings():
    for path, job in jobs({}).items():
        assert "=" not in path
        assert "setting" not in job.settings["labels"]


CHANGES = {
    "a level more": ({**TWO, LR: [0.1, 0.2, 0.3]}, {"train": 2, "measure": 2 * MEASUREMENTS, **TABLES}),
    "a level less": ({**TWO, LR: [0.2]}, TABLES),
    "another order": ({BATCH: [64, 32], LR: [0.2, 0.1]}, {}),
    "a number written otherwise": ({**TWO, LR: ["1e-1", 0.2]}, {}),
    "a level in place of another": ({**TWO, LR: [0.1, 0.3]}, {"train": 2, "measure": 2 * MEASUREMENTS, **TABLES}),
    "an axis less": ({LR: [0.1, 0.2]}, {"train": 2, "measure": 2 * MEASUREMENTS, **TABLES}),
}


@pytest.mark.parametrize(("vary", "rules"), CHANGES.values(), ids=CHANGES)
def test_a_change_trains_what_is_new_alone(vary, rules):
    assert done_again(jobs(TWO), jobs(vary)) == rules


def test_a_default_that_is_written_out_remakes_nothing():
    stop = {**CONFIG["protocols"]["report"]["fcnn"]["training"]["stop"], "min_epochs": 1}
    training = {**CONFIG["protocols"]["report"]["fcnn"]["training"], "stop": stop}
    recipes = {"sgd": {"training.optimiser": {"name": "SGD", "lr": 0.5, "momentum": 0}}, "adam": ADAM}
    assert done_again(jobs({"recipe": RECIPES}), jobs({"recipe": recipes}, training=training)) == {}


def test_a_pool_beside_one_that_varies_is_left_alone():
    def planned(vary: dict) -> dict[str, Job]:
        config = merged(varied(vary), {"only": "report"})
        found = Plan(read_settings(config), lambda rule: ROOT / f"workflow/scripts/{rule}.py").jobs()
        return {job.outputs[0]: job for job in found if job.rule in ("train", "measure")}

    plain, both = planned({}), planned(TWO)
    assert {path for path in plain if plain[path] == both.get(path)} == {path for path in plain if "/fcnn/" not in path}


def test_each_setting_counts_the_code_of_its_own_plug_ins(folder):
    optimisers = folder / "plugins/optimisers"
    optimisers.mkdir(parents=True)
    (optimisers / "mine.py").write_text("def build(parameters, lr): ...\n")
    vary = {"recipe": {"mine": {"training.optimiser": {"name": "mine", "lr": 1}, "stacked": 1}, "sgd": SGD}}
    before = jobs(vary)
    (optimisers / "mine.py").write_text("def build(parameters, lr): return 1\n")
    found = [job for output, job in jobs(vary).items() if before[output] != job and job.rule in ("train", "measure")]
    assert {job.settings["labels"]["setting"] for job in found} == {"/recipe=mine"}
    assert [job.settings["pool"]["training"]["optimiser"]["name"] for job in found if job.rule == "train"] == ["mine"]


def test_a_network_that_sees_less_of_a_graph_in_one_setting_is_measured_so():
    config = merged(deepcopy(CONFIG), {"only": "report/gat"})
    levels = {"two": {"hops": 2, "options.layers": 2}, "three": {"hops": 3, "options.layers": 3}}
    config["protocols"]["report"]["gat"]["vary"] = {"depth": levels}
    plan = Plan(read_settings(config), lambda rule: ROOT / f"workflow/scripts/{rule}.py")
    ways = {each["setting"]: plan.way(**each)["hops"] for each in plan.measured}
    assert ways == {"/depth=two": 2, "/depth=three": 3}
