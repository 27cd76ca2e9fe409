"""What README.md says: its numbers are those of docs/results, its code runs, and all that it names is there."""

import itertools
import re
from pathlib import Path

import pandas as pd
import pytest
import torch

from docs.readme import filled

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TAU = pd.read_csv(ROOT / "docs/results/tau.csv").query("headline and published_tau.notna()")


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def table() -> list[list[str]]:
    lines = re.search(r"<!-- table.*?-->\n.*?\n.*?\n(.*?)<!-- end", README, re.DOTALL)[1].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_is_that_of_the_published_results():
    assert 1 <= len(TAU) <= 6
    assert [row[:2] for row in table()] == TAU[["pool", "measure"]].to_numpy().tolist()
    for (_, _, tau, interval, have, published), row in zip(table(), TAU.itertuples(), strict=True):
        low, high = map(number, interval.split(" to "))
        assert (number(tau), low, high) == pytest.approx((row.tau, row.tau_low, row.tau_high), abs=5.01e-4)
        assert ("higher" in have, "lower" in have) == (row.tau_low > 0, row.tau_high < 0)
        assert published == ("consistent" if abs(row.z) < 1.96 else "not consistent")


def test_the_answer_names_each_pool_by_the_sign_that_its_interval_settles():
    """Of the first measure."""
    (answer,) = re.findall(r"<!-- answer.*?-->\n(.*)\n<!-- end", README)
    higher, lower, untold = re.fullmatch(
        r"It depends on the network: a sharper minimum goes with a higher test loss for (.*) and with a lower one for "
        r"(.*); these models cannot tell for (.*)\.",
        answer,
    ).groups()
    first = TAU.drop_duplicates("pool").set_index("pool")
    signs = {1: higher, -1: lower, 0: untold}
    for sign, pools in signs.items():
        found = first.index[(first["tau_low"] > 0).astype(int) - (first["tau_high"] < 0) == sign]
        assert sorted(re.split(", | and ", pools)) == sorted(found)


def test_it_is_written_again_as_it_is_and_anew_from_other_numbers():
    assert filled(README, TAU) == README
    other = filled(README, TAU.assign(tau=0.25, tau_low=-0.1, tau_high=0.5))
    assert other.count("| +0.250 | −0.100 to +0.500 | neither for certain |") == len(TAU)
    assert other.replace("\n", " ").count("these models cannot tell for fcnn, lenet5 and gat.") == 1


def test_it_is_short():
    assert len(README.split()) <= 700
    assert len(re.findall(r"[+−-]\d+\.\d+", README)) <= 24


def test_its_code_prints_what_it_says(capsys):
    """The highest of a convex function over a box lies at a corner."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(code, names)
    (wanted,) = re.findall(r"# (\S+)$", code, re.MULTILINE)
    assert capsys.readouterr().out.strip() == wanted
    (weight, bias), (inputs, targets) = (
        [value.detach().double() for value in values] for values in (names["model"].parameters(), names["batch"])
    )

    def loss(*signs):
        moved = [
            value * (1 + 0.05 * torch.tensor(sign)) for value, sign in zip((*weight[0], bias[0]), signs, strict=True)
        ]
        return ((inputs @ torch.stack(moved[:3]) + moved[3] - targets[:, 0]) ** 2).mean()

    corners = itertools.product((-1, 1), repeat=4)
    assert float(wanted) == pytest.approx(float(max(loss(*each) for each in corners) - loss(0, 0, 0, 0)), abs=5.01e-4)


def test_all_files_and_commands_that_it_names_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
    for line in re.search(r"## The tree\n\n```\n(.*?)```", README, re.DOTALL)[1].splitlines():
        for name in re.match(r"(\S+(?: \S+/)*)  +", line)[1].split():
            assert (ROOT / name).exists() or name == "results/", name
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= set(targets)
