"""The first network and the first data set of the page on extending, added to a study as the page says."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PAGE = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.split("\n## One file of each kind\n")[0], re.DOTALL))


@pytest.fixture
def extended(study):
    """The finished study with the page's first files, and with a table for its data set."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(200, 10))
    (study.folder / "data/local/waves").mkdir(parents=True)
    np.savetxt(study.folder / "data/local/waves/waves.csv", np.hstack([inputs, inputs[:, :1]]), delimiter=",")
    digest = hashlib.sha256(study.read("data/local/waves/waves.csv")).hexdigest()
    for path, text in FILES.items():
        (study.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (study.folder / path).write_text(re.sub("<.*>", digest, text))
    return study


@pytest.mark.parametrize(
    "configs",
    [pytest.param(["linear"], id="abalone", marks=pytest.mark.slow), pytest.param(["linear", "waves"], id="waves")],
)
def test_what_the_page_adds_first_is_trained_and_measured(extended, configs):
    run = extended.snakemake("--configfile", "study.yaml", *(f"config/{name}.yaml" for name in configs))
    assert run.code == 0, run.output
    assert run.jobs["train"] == 2
    assert run.jobs["measure"] == 4
    datasets = [path.name for path in (extended.folder / "results/linear/datasets").glob("*.safetensors")]
    assert datasets == ["waves.safetensors" if "waves" in configs else "abalone.safetensors"]
    table = pd.read_csv(extended.folder / "results/linear/tables/tau.csv")
    headline = table[table["headline"]]
    assert headline[["pool", "quantity"]].to_numpy().tolist() == [["linear", "sharpness"]] * 2
    assert table["n"].tolist() == [4] * 4
