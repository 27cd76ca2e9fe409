"""The README's own network and data set, added to a study as the README says."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str, section: str) -> list[str]:
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def extended(study):
    """The finished study with the README's files, and with a table for its data set."""
    (network,), (dataset,) = blocks("python", "Adding a network"), blocks("python", "Adding a data set")
    for folder in ("plugins/architectures", "plugins/datasets", "data/local/waves"):
        (study.folder / folder).mkdir(parents=True)
    (study.folder / "plugins/architectures/linear.py").write_text(network)
    (study.folder / "plugins/datasets/waves.py").write_text(dataset)
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(200, 10))
    np.savetxt(study.folder / "data/local/waves/waves.csv", np.hstack([inputs, inputs[:, :1]]), delimiter=",")
    return study


@pytest.mark.parametrize("data", ["abalone", "waves"])
def test_what_the_readme_adds_is_trained_and_measured(extended, data):
    (network,), (dataset,) = blocks("yaml", "Adding a network"), blocks("yaml", "Adding a data set")
    digest = hashlib.sha256(extended.read("data/local/waves/waves.csv")).hexdigest()
    added = yaml.safe_load(network) | (yaml.safe_load(re.sub("<.*>", digest, dataset)) if data == "waves" else {})
    added["protocols"]["report"]["linear"]["dataset"] = data
    (extended.folder / "config/linear.yaml").write_text(yaml.safe_dump(added))
    run = extended.snakemake("--configfile", "study.yaml", "config/linear.yaml")
    assert run.code == 0, run.output
    assert run.jobs["train"] == 2
    assert run.jobs["measure"] == 4
    table = pd.read_csv(extended.folder / "results/linear/tables/tau.csv")
    headline = table[table["headline"]]
    assert headline[["pool", "quantity"]].to_numpy().tolist() == [["linear", "sharpness"]] * 2
    assert table["n"].tolist() == [4] * 4
