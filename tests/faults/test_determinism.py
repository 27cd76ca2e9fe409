"""The same numbers however the work is cut into jobs; on all networks by `make test-all`."""

import pandas as pd
import pytest
from tiny import ONE_CORE, TARGET

QUICK = ("--configfile", "config/quick.yaml")
TABLES = [f"results/quick/tables/{name}" for name in ("tau.csv", "runs.parquet", "estimates.csv")]


@pytest.mark.fault(fault="jobs of another size (seeds_per_job)", sees="the same tables, to the bit")
def test_another_size_of_shards_gives_the_same_tables(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path / "project")
    study.configure({"seeds_per_job": 2})
    run = study.snakemake(*ONE_CORE)
    assert run.code == 0, run.output
    assert run.jobs == {"train": 1, "measure": 1, "runs_table": 1, "estimates_table": 1, "tau_table": 1}
    assert study.read(TARGET) == undisturbed.read(TARGET)
    runs, same = (pd.read_parquet(each.folder / "results/tables/runs.parquet") for each in (study, undisturbed))
    pd.testing.assert_frame_equal(runs, same, check_exact=True)


LAST = "results/quick/sharpness/report/gat/report_pga/rho-0.1/seeds-000-007.parquet"


@pytest.mark.slow
def test_all_networks_give_the_same_tables_twice(fresh, tmp_path):
    """From nothing: on one core and on two, in another folder, order and cut into jobs, with other hashes of texts."""
    first, second = (fresh(tmp_path / name, {}) for name in ("first", "second"))
    ways = ["--cores", "1"], ["--cores", "2", "--config", "seeds_per_job=8", "--prioritize", LAST]
    for study, way in zip((first, second), ways, strict=True):
        study.environment = {"PYTHONHASHSEED": way[1]}
        run = study.snakemake(*QUICK, *way)
        assert run.code == 0, run.output
    assert [path for path in TABLES if first.read(path) != second.read(path)] == []
