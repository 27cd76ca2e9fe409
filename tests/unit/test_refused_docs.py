"""docs/refused.csv: each line there is what a network or a batch gets, and each that the zoo refuses stands there."""

import csv
import math
import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from zoo import REFUSED, graphs, mlp, of_graphs, rows

from adaptive_sharpness import worst_case

with open(Path(__file__).parents[2] / "docs/refused.csv", newline="", encoding="utf-8") as table:
    LINES = [row["line"].strip("`") for row in csv.DictReader(table)]
OF_TWO_DEVICES = "model: got parameters or buffers on cpu and cuda:0, wanted them on one device"
PAIR = rows(targets=3)


def _frozen() -> nn.Module:
    network = mlp().eval()
    network[0].weight.requires_grad_(False)
    return network


def _diverged() -> nn.Module:
    network = mlp().eval()
    nn.init.constant_(network[0].weight, math.nan)
    return network


def _contrastive(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Examples meet each other."""
    return (output @ output.T).logsumexp(1).mean()


FURTHER = {
    "training": lambda: worst_case(mlp(), mse_loss, PAIR, rho=0.1),
    "frozen": lambda: worst_case(_frozen(), mse_loss, PAIR, rho=0.1),
    "diverged": lambda: worst_case(_diverged(), mse_loss, PAIR, rho=0.1),
    "empty": lambda: worst_case(mlp().eval(), mse_loss, [PAIR, (PAIR[0][:0], PAIR[1][:0])], rho=0.1),
    "graphs": lambda: worst_case(nn.Linear(1, 1).eval(), _of_nodes, [graphs()], rho=0.1, micro_batch=1),
    "contrastive": lambda: worst_case(mlp().eval(), _contrastive, PAIR, rho=0.1, micro_batch=1),
}


def _of_nodes(network: nn.Module, batch) -> torch.Tensor:
    return of_graphs(lambda x, _: network(x[:, :1]).expand(-1, 3), batch)


def _zoo(name: str):
    network, batches = REFUSED[name].build()
    return worst_case(network, REFUSED[name].loss, batches, rho=0.1, steps=2)


def _line_of(call) -> list[str]:
    """The lines of the table that fit what a call says."""
    with pytest.raises(ValueError, match="wanted") as caught:
        call()
    patterns = {line: re.escape(line).replace(r"\.\.\.", ".+") for line in LINES}
    return [line for line, pattern in patterns.items() if re.fullmatch(pattern, str(caught.value))]


def test_each_refusal_stands_in_the_table_once_and_no_line_is_made_up():
    late = "reentrant_checkpoint"  # in torch's words
    calls = {**{name: lambda name=name: _zoo(name) for name in REFUSED if name != late}, **FURTHER}
    found = {name: _line_of(call) for name, call in calls.items()}
    assert {name: lines for name, lines in found.items() if len(lines) != 1} == {}
    assert {line for lines in found.values() for line in lines} == set(LINES) - {OF_TWO_DEVICES}
