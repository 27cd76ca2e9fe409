"""What Snakemake plans to do on a fresh clone, as it can be worked out from the config."""

import math

import pytest
import yaml


def jobs(config: dict, only: tuple[str, ...] = ()) -> dict[str, int]:
    """Jobs by rule of a study that starts from nothing."""
    pools = {(p, a) for p, pool in config["protocols"].items() for a in pool if not only or a in only}
    size = config["seeds_per_job"]
    sizes = size if isinstance(size, dict) else {name: size for _, name in pools}
    shards = {name: math.ceil(config["seeds"] / sizes[name]) for _, name in pools}
    grids = {
        (protocol, name, measure): config["rho"][measure].get(name, [])
        for protocol, name in pools
        for measure in config["measures"]
    }
    drawn = {(protocol, measure) for (protocol, _, measure), grid in grids.items() if grid}
    in_balls = {(protocol, measure) for (protocol, _, measure), grid in grids.items() if grid not in ([], "none")}
    datasets = len({config["protocols"][protocol][name]["dataset"] for protocol, name in pools})
    measured = {key: 1 if grid == "none" else len(grid) for key, grid in grids.items()}
    tables = {"runs_table": 1, "tau_table": 1, "estimates_table": 1, "share_figure": 1, "page": 1, "metrics": 1}
    tables |= {"scatter_figure": len(drawn), "tau_figure": len(in_balls)}
    tables |= {"trust_figure": len({protocol for protocol, _ in drawn})}
    trained = sum(shards[name] for _, name in pools)
    measures = sum(shards[name] * radii for (_, name, _), radii in measured.items())
    return {"fetch": datasets, "prepare": datasets, "train": trained, "measure": measures, **tables}


def test_a_fresh_clone_lists_every_job_of_the_study(clean, config):
    plan = clean.plan()
    assert plan.code == 0
    assert plan.jobs == jobs(config)


def test_the_quick_study_is_listed_in_its_own_folder(clean, config):
    quick = yaml.safe_load(clean.read("config/quick.yaml"))
    rho = {name: {**grids, **quick["rho"].get(name, {})} for name, grids in config["rho"].items()}
    plan = clean.plan("--configfile", "config/quick.yaml")
    assert plan.code == 0
    assert plan.jobs == jobs({**config, **{key: quick[key] for key in ("seeds", "seeds_per_job")}, "rho": rho})
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


def test_only_selects_an_architecture_with_its_data(clean, config):
    plan = clean.plan("--config", "only=fcnn")
    assert plan.jobs == jobs(config, ("fcnn",))
    assert {path for path in plan.outputs if "SHA256SUMS" in path} == {"data/raw/abalone/SHA256SUMS"}
    assert {path.split("/")[3] for path in plan.outputs if "/seeds-" in path} == {"fcnn"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            "rho: {report_pga: {fcnn: [-0.1]}}",
            "config: rho.report_pga.fcnn[0]: got -0.1, wanted a finite number above 0",
        ),
        ("rho: {report_pga: {gcn: [0.1]}}", "config: rho.report_pga.gcn: got 'gcn', wanted one of fcnn, gat, lenet5"),
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
