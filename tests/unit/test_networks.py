"""Networks before training: built by name, refused in one line, and with weights that follow from the seed alone."""

import pytest
import torch
from torch import nn

from adaptive_sharpness.landscape.randomness import number
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.training.networks import build_network, initial_network

RULES = {  # those that fit an architecture
    "fcnn": ("xavier_uniform", "glorot", "layers_own"),
    "lenet5": ("xavier_uniform", "layers_own"),
    "gat": ("glorot", "layers_own"),
}
SMALL = {"fcnn": {"widths": (4, 3, 2)}, "lenet5": {"channels": (2, 3), "widths": (8, 6)}, "gat": {"features": 40}}


def _settings(architecture: str, options: dict, rule: str) -> PoolSettings:
    return PoolSettings.model_validate(
        {
            "dataset": "any",
            "architecture": architecture,
            "options": options,
            "initialisation": rule,
            "loss": "mse_loss",
            "training": {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 1}},
        }
    )


def _drawn(architecture: str, rule: str, seed: int) -> dict[str, torch.Tensor]:
    return initial_network(_settings(architecture, SMALL[architecture], rule), seed).state_dict()


@pytest.mark.parametrize(
    ("architecture", "rule"), [(architecture, rule) for architecture in RULES for rule in RULES[architecture]]
)
def test_weights_follow_from_the_seed_alone(architecture, rule):
    torch.manual_seed(1)
    first = _drawn(architecture, rule, seed=5)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = _drawn(architecture, rule, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    other = _drawn(architecture, rule, seed=6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name, value in first.items() if value.dim() > 1]
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


@pytest.mark.parametrize("architecture", SMALL)
def test_the_layers_own_rule_keeps_what_the_layers_draw(architecture):
    with torch.random.fork_rng():
        torch.manual_seed(number(3, "layers"))
        reference = build_network(architecture, SMALL[architecture])
    found = initial_network(_settings(architecture, SMALL[architecture], "layers_own"), seed=3)
    for one, other in zip(found.parameters(), reference.parameters(), strict=True):
        assert torch.equal(one, other)


def test_architecture_and_rule_may_be_the_users_own(tmp_path):
    for kind, name, text in (
        ("architectures", "mine", "from torch import nn\n\n\ndef build(outputs):\n    return nn.Linear(3, outputs)\n"),
        ("initialisations", "ones", "def ones(network, draw):\n    network.weight.data.fill_(1)\n"),
    ):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.py").write_text(text)
    found = initial_network(_settings("mine", {"outputs": 2}, "ones"), seed=0, folder=tmp_path)
    assert torch.equal(found.weight, torch.ones(2, 3))
    assert isinstance(build_network("mine", {"outputs": 4}, tmp_path), nn.Linear)


@pytest.mark.fault(
    fault="options that an architecture does not have, or cannot be built with",
    sees="`architecture NAME: options ... do not fit its build(): ...`",
)
@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("fcnn", {"width": (10, 1)}),
        ("fcnn", {"widths": 10}),
        ("fcnn", {"widths": (10,)}),
        ("fcnn", {"widths": (10, "x")}),
        ("fcnn", {"widths": (10, -1)}),
        ("fcnn", {"activation": "RELU"}),
        ("fcnn", {"activation": "functional"}),
        ("lenet5", {"channel": (12, 32)}),
        ("lenet5", {"channels": (12,)}),
        ("lenet5", {"channels": (12, 32, 64)}),
        ("lenet5", {"widths": (256, 128, 64)}),
        ("lenet5", {"classes": 2.5}),
        ("lenet5", {"dropout": 1.5}),
        ("lenet5", {"dropout": "half"}),
        ("gat", {"hiden": 8}),
        ("gat", {"heads": 3}),
        ("gat", {"activation": "no such"}),
        ("gat", {"dropout": -0.1}),
        ("gat", {"layers": "two"}),
        ("gat", {"layers": 0}),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_in_one_line_that_names_architecture_and_options(architecture, options):
    with pytest.raises(ValueError, match=f"^architecture {architecture}: options ") as error:
        build_network(architecture, options)
    assert repr(options) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("architecture", "options", "reason"),
    [
        ("fcnn", {"widths": (10,)}, "got 1 widths, wanted at least inputs and outputs"),
        ("gat", {"layers": 0}, "got 0 layers, wanted at least 1"),
    ],
)
def test_the_reason_that_a_build_gives_ends_the_line(architecture, options, reason):
    with pytest.raises(ValueError, match=rf"^architecture .* do not fit its build\(\): {reason}$"):
        build_network(architecture, options)


@pytest.mark.fault(
    fault="a build() that gives no network",
    sees="`architecture NAME: build() gave ..., wanted a network with parameters`",
)
@pytest.mark.parametrize(("body", "got"), [("return None", "NoneType"), ("return nn.ReLU()", "no parameters")])
def test_a_build_that_gives_no_network_with_parameters_is_refused(body, got, tmp_path):
    (tmp_path / "architectures").mkdir()
    (tmp_path / "architectures/mine.py").write_text(f"from torch import nn\n\n\ndef build():\n    {body}\n")
    line = rf"^architecture mine: build\(\) gave {got}, wanted a network with parameters$"
    with pytest.raises(ValueError, match=line):
        build_network("mine", {}, tmp_path)
