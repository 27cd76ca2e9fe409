"""What Snakemake plans to do on a fresh clone, as it can be worked out from the config."""

import math

import pytest
import yaml

from adaptive_sharpness.study.config.reading import merged, plain_config


def jobs(config: dict, only: tuple[str, ...] = ()) -> dict[str, int]:
    """Jobs by rule of a study that starts from nothing."""
    pools = {(p, name) for p, pool in config["protocols"].items() for name in pool if not only or name in only}
    size = config["seeds_per_job"]
    sizes = size if isinstance(size, dict) else {name: size for _, name in pools}
    shards = {name: math.ceil(config["seeds"] / sizes[name]) for _, name in pools}
    datasets = len({config["protocols"][protocol][name]["dataset"] for protocol, name in pools})
    on = [block["on"] for block in config["measures"].values()]
    taken = [(name, each[name]) for _, name in pools for each in on if name in each]
    trained = sum(shards[name] for _, name in pools)
    measures = sum(shards[name] * len(closer.get("rho", ["none"])) for name, closer in taken)
    tables = dict.fromkeys(("runs_table", "tau_table", "estimates_table", "metrics", "report"), 1)
    return {"fetch": datasets, "prepare": datasets, "train": trained, "measure": measures, **tables}


def test_a_fresh_clone_lists_every_job_of_the_study(clean, config):
    plan = clean.plan()
    assert plan.code == 0
    assert plan.jobs == jobs(config)


def test_the_quick_study_is_listed_in_its_own_folder(clean, config):
    quick = plain_config(yaml.safe_load(clean.read("config/quick.yaml")))
    plan = clean.plan("--configfile", "config/quick.yaml")
    assert plan.code == 0
    assert plan.jobs == jobs(merged(config, quick))
    folders = {"/".join(path.split("/")[:2]) for path in plan.outputs}
    assert folders == {"results/quick", "data/raw"}


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("data", ["fetch", "prepare"]),
        ("checkpoints", ["fetch", "prepare", "train"]),
        ("sharpness", ["fetch", "prepare", "train", "measure"]),
    ],
)
def test_a_target_selects_the_jobs_up_to_its_stage(clean, config, target, rules):
    wanted = {rule: count for rule, count in jobs(config).items() if rule in rules}
    assert clean.plan(target).jobs == {**wanted, target: 1}


def test_the_target_tables_is_the_whole_study(clean, config):
    assert clean.plan("tables").jobs == {**jobs(config), "tables": 1}


def test_a_number_on_the_command_line_wins(clean, config):
    assert clean.plan("--config", "seeds=4").jobs == jobs({**config, "seeds": 4})


def test_only_selects_a_pool_with_its_data(clean, config):
    plan = clean.plan("--config", "only=fcnn")
    assert plan.jobs == jobs(config, ("fcnn",))
    assert {path for path in plan.outputs if "SHA256SUMS" in path} == {"data/raw/abalone/SHA256SUMS"}
    assert {path.split("/")[3] for path in plan.outputs if "/seeds-" in path} == {"fcnn"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            "measures: {report_pga: {on: {fcnn: {rho: [-0.1]}}}}",
            "config: measures.report_pga.on.fcnn.rho[0]: got -0.1, wanted a finite number above 0",
        ),
        (
            "measures: {report_pga: {on: {gcn: {rho: [0.1]}}}}",
            "config: measures.report_pga.on.gcn: got 'gcn', wanted one of fcnn, gat, lenet5",
        ),
        ("measure: {}", "config: measure: got 'measure', wanted one of seeds, "),
    ],
)
def test_a_wrong_config_file_ends_in_one_line(clean, tmp_path, changes, line):
    (tmp_path / "bad.yaml").write_text(changes)
    ends_in_one_line(clean.plan("--configfile", str(tmp_path / "bad.yaml")), line)


def test_a_wrong_setting_on_the_command_line_ends_in_one_line(clean):
    line = "config: seeds: got 0, wanted a whole number of models, at least 1"
    ends_in_one_line(clean.plan("--config", "seeds=0"), line)


def ends_in_one_line(plan, line: str) -> None:
    assert plan.code == 1
    *before, last = plan.output.strip().splitlines()
    assert last.startswith(line)
    assert not [text for text in before if text.startswith("config:")]
    assert not [text for text in before if "Traceback" in text or text.lstrip().startswith("File ")]
