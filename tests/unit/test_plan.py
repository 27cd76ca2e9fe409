"""What a config asks for, on configs written out here and on the signatures of the estimators."""

import importlib
import inspect

import pytest

from adaptive_sharpness import contradictions, imports, plan, problems
from adaptive_sharpness.balls import NORMS

SOUGHT = {"batches": 5, "batch_size": 64, "seed": 0, "estimator": "worst_case"}
PGA = {**SOUGHT, "options": {"solver": "pga", "steps": 5, "rate": "training", "origin": False}}
APGD = {**SOUGHT, "options": {"solver": "apgd", "steps": 20}}


def _study(**measures) -> dict:
    return {"measures": measures, "rho": {}}


def _balls(one: dict, other: dict) -> tuple[str, str]:
    config = _study(one=one, other=other)
    return plan.ball(config, "one", "fcnn"), plan.ball(config, "other", "fcnn")


def _pool(**labels) -> dict:
    return {"protocol": "report", "architecture": "fcnn", "measure": "a", "rho": "0.1", "ball": "ball", **labels}


# The block of a measure


def test_a_number_or_an_option_may_differ_by_architecture():
    block = {**APGD, "batches": {"fcnn": 100, "gat": 25}, "options": {"steps": {"fcnn": 20, "gat": 10}, "norm": "l2"}}
    config = _study(a={**block, "stacked": {"fcnn": 50}})
    fcnn, gat = (plan.measure(config, "a", name) for name in ("fcnn", "gat"))
    assert (fcnn["batches"], fcnn["stacked"], fcnn["options"]) == (100, 50, {"steps": 20, "norm": "l2"})
    assert (gat["batches"], gat["stacked"], gat["options"]) == (25, None, {"steps": 10, "norm": "l2"})


def test_a_number_holds_for_every_architecture():
    config = _study(a={**APGD, "stacked": 3})
    for name in ("fcnn", "gat"):
        block = plan.measure(config, "a", name)
        assert (block["batches"], block["stacked"]) == (5, 3)


def test_what_is_not_said_of_an_architecture_is_left_to_the_estimator():
    config = _study(a={**APGD, "batches": {"gat": 25}, "options": {"steps": {"gat": 10}}})
    block = plan.measure(config, "a", "fcnn")
    assert (block["batches"], block["stacked"], block["options"]) == (None, None, {})


@pytest.mark.parametrize("value", [False, 0, 0.0])
def test_an_option_that_is_false_or_zero_is_said(value):
    options = {"origin": {"fcnn": value}, "restarts": value}
    block = plan.measure(_study(a={**APGD, "options": options}), "a", "fcnn")
    assert block["options"] == {"origin": value, "restarts": value}


def test_the_estimator_is_the_name_of_the_measure_unless_another_is_named():
    unnamed = {key: value for key, value in APGD.items() if key != "estimator"}
    config = _study(worst_case=unnamed, mine=APGD, hessian={**unnamed, "options": {}})
    found = {name: plan.measure(config, name, "fcnn")["estimator"] for name in config["measures"]}
    assert found == {"worst_case": "worst_case", "mine": "worst_case", "hessian": "hessian"}


def test_the_other_keys_of_a_block_stay_and_the_config_is_not_changed():
    config = _study(a={**APGD, "batches": {"fcnn": 100}, "options": {"steps": {"fcnn": 20}}})
    block = plan.measure(config, "a", "fcnn")
    assert (block["batch_size"], block["seed"]) == (64, 0)
    assert config == _study(a={**APGD, "batches": {"fcnn": 100}, "options": {"steps": {"fcnn": 20}}})


# Radii


def test_radii_are_spelled_so_that_equal_numbers_are_equal_paths_and_none_is_lost():
    grid = [1, 0.5, 1e-4, 1e-05, 0.1 + 0.2]
    found = plan.radii({"rho": {"a": {"fcnn": grid}}}, "a", "fcnn")
    assert found == ["1.0", "0.5", "0.0001", "1e-05", "0.30000000000000004"]
    assert [float(rho) for rho in found] == grid


def test_a_measure_without_a_ball_has_one_radius_none():
    assert plan.radii({"rho": {"a": {"fcnn": "none"}}}, "a", "fcnn") == ["none"]


@pytest.mark.parametrize("rho", [{}, {"a": {}}, {"a": {"gat": [0.1]}}, {"b": {"fcnn": [0.1]}}])
def test_without_a_grid_nothing_is_measured(rho):
    assert plan.radii({"rho": rho}, "a", "fcnn") == []


# Balls


@pytest.mark.parametrize(
    "search",
    [
        {"solver": "pga"},
        {"steps": 60},
        {"steps": {"fcnn": 20, "gat": 10}},
        {"rate": "training"},
        {"restarts": 5},
        {"origin": False},
        {"convergence": 1},
    ],
)
def test_how_hard_a_measure_searches_does_not_change_its_ball(search):
    one, other = _balls(APGD, {**APGD, "options": {**APGD["options"], **search}})
    assert one == other != ""


@pytest.mark.parametrize(
    "sought", [{"norm": "l2"}, {"adaptive": False}, {"perturb": "weights"}, {"normalise_logits": True}]
)
def test_what_is_sought_changes_the_ball(sought):
    one, other = _balls(APGD, {**APGD, "options": {**APGD["options"], **sought}})
    assert "" not in (one, other)
    assert one != other


@pytest.mark.parametrize("drawn", [{"batch_size": 32}, {"seed": 1}])
def test_other_batches_are_another_ball(drawn):
    one, other = _balls(APGD, {**APGD, **drawn})
    assert "" not in (one, other)
    assert one != other


def test_more_batches_and_another_stack_are_the_same_ball():
    one, other = _balls(APGD, {**APGD, "batches": {"fcnn": 100}, "stacked": 50})
    assert one == other


def test_a_default_that_is_said_is_the_same_ball_in_any_order():
    said = {"adaptive": True, "norm": "linf", "perturb": "all", "normalise_logits": False}
    one, other = _balls(PGA, {**APGD, "options": {**said, **APGD["options"]}})
    backwards = {**APGD, "options": dict(reversed(said.items()))}
    assert one == other == _balls(backwards, PGA)[0]


def test_the_name_of_a_measure_may_stand_for_its_estimator():
    unnamed = {key: value for key, value in APGD.items() if key != "estimator"}
    config = _study(worst_case=unnamed, other=PGA)
    assert plan.ball(config, "worst_case", "fcnn") == plan.ball(config, "other", "fcnn")


def test_a_ball_that_differs_by_architecture_is_compared_where_it_is_the_same():
    config = _study(a={**APGD, "options": {"norm": {"gat": "l2", "fcnn": "linf"}}}, b=PGA)
    same = {name: plan.ball(config, "a", name) == plan.ball(config, "b", name) for name in ("fcnn", "gat", "lenet5")}
    assert same == {"fcnn": True, "gat": False, "lenet5": True}


@pytest.mark.parametrize("estimator", ["average_case", "hessian"])
def test_a_measure_that_seeks_no_maximum_has_no_ball(estimator):
    block = {**SOUGHT, "estimator": estimator, "options": {"adaptive": True}}
    assert plan.ball(_study(a=block), "a", "fcnn") == ""


def test_in_the_study_the_report_is_compared_with_the_worst_case_and_with_nothing_else(config):
    balls = {name: plan.ball(config, name, "fcnn") for name in config["measures"]}
    assert balls["report_pga"] == balls["worst_case"] != ""
    assert balls["average_case"] == balls["hessian"] == ""


# What is compared


@pytest.mark.parametrize("other", [{"architecture": "gat"}, {"rho": "0.2"}, {"ball": "another"}, {"protocol": "p"}])
def test_pools_that_differ_in_more_than_the_measure_are_not_compared(other):
    assert plan.compared([_pool(), _pool(measure="b", **other)]) == []


def test_a_protocol_with_two_measures_of_one_ball_is_compared():
    assert plan.compared([_pool(), _pool(measure="b")]) == ["report"]


def test_measures_without_a_ball_are_not_compared():
    assert plan.compared([_pool(ball=""), _pool(measure="b", ball="")]) == []


def test_protocols_stand_once_and_in_order():
    pools = [_pool(protocol=name, rho=rho) for rho in ("0.2", "0.1") for name in ("z", "single", "a")]
    others = [_pool(protocol=name, rho=rho, measure="b") for rho in ("0.1", "0.2") for name in ("a", "z")]
    assert plan.compared(iter(pools + others)) == ["z", "a"]
    assert plan.compared([]) == []


# Options


@pytest.mark.parametrize("estimator", contradictions.modules("measures"))
def test_the_options_are_those_of_the_function(estimator):
    """As Python itself reads them, from the function that is imported."""
    function = getattr(importlib.import_module(f"adaptive_sharpness.measures.{estimator}"), estimator)
    named = [each for each in inspect.signature(function).parameters.values() if each.kind is each.KEYWORD_ONLY]
    wanted = {each.name: None if each.default is each.empty else each.default for each in named}
    assert plan.options(f"measures/{estimator}") == wanted
    assert "seed" in wanted


def test_how_hard_to_search_is_an_option_of_the_estimator_that_searches():
    assert set(plan.SEARCH) | set(plan.NOT_IN_CONFIG) <= set(plan.options("measures/worst_case"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("none_here", "def other(*, seed=0): ..."), ("inner", "class A:\n    def inner(*, seed=0): ...")],
)
def test_a_module_without_a_function_of_its_name_has_no_options(name, text, tmp_path, monkeypatch):
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(imports, "PACKAGE", tmp_path)
    assert plan.options(name) == {}


def test_a_module_is_read_without_being_run(tmp_path, monkeypatch):
    text = "raise RuntimeError\ndef unrun(model, other=1, *, rho: float, low=-0.5, names=('a', 'b'), rate=None): ..."
    (tmp_path / "unrun.py").write_text(text)
    monkeypatch.setattr(imports, "PACKAGE", tmp_path)
    assert plan.options("unrun") == {"rho": None, "low": -0.5, "names": ("a", "b"), "rate": None}


@pytest.mark.parametrize("read", [plan.options, plan.choices])
def test_a_module_that_is_no_python_gives_a_line(read, tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("def broken(*, a=1): ...\ndef broken(:\n")
    monkeypatch.setattr(imports, "PACKAGE", tmp_path)
    with pytest.raises(ValueError, match=r"broken\.py, line 2: got no Python: invalid syntax, wanted Python 3\.\d+$"):
        read("broken")


def test_a_function_of_another_name_has_options_too(tmp_path, monkeypatch):
    (tmp_path / "two.py").write_text("def one(*, a=1): ...\ndef two(*, b=2): ...\n")
    monkeypatch.setattr(imports, "PACKAGE", tmp_path)
    assert (plan.options("two"), plan.options("two", "one")) == ({"b": 2}, {"a": 1})


# What differs by architecture, or by protocol


def test_the_module_of_an_estimator_is_a_measure_unless_a_dot_says_otherwise():
    assert [plan.module(each) for each in ("worst_case", "released.gat")] == ["measures/worst_case", "released/gat"]


def test_the_files_that_a_config_names_are_those_of_every_data_set_network_trainer_and_estimator():
    text = {"mine": {"dataset": "a", "network": "other"}, "fcnn": {"dataset": "a"}}
    config = {
        "datasets": {"a": {}, "b": {}},
        "protocols": {"text": text, "old": {"fcnn": {"dataset": "b", "trainer": "released.training"}}},
        "measures": {
            "hessian": {"options": {}},
            "unused": {"options": {}},
            "one": {"options": {}, "estimator": {"mine": "worst_case", "fcnn": "released.fcnn"}},
        },
        "rho": {"hessian": {"mine": "none"}, "one": {"mine": [0.1], "fcnn": [0.1]}},
    }
    assert plan.files(config) == {
        *("datasets/a", "datasets/b", "architectures/other", "architectures/fcnn", "training", "released/training"),
        *("measures/hessian", "measures/worst_case", "released/fcnn"),
    }


def test_the_module_that_trains_a_network_is_training_unless_its_block_names_another():
    assert [plan.trainer(each) for each in ({}, {"trainer": "released.training"})] == ["training", "released/training"]


def test_the_module_of_an_architecture_is_its_own_unless_its_block_names_another():
    assert [plan.network("small", each) for each in ({}, {"network": "fcnn"})] == ["small", "fcnn"]


def test_seeds_are_one_number_or_one_an_architecture():
    assert plan.seeds({"seeds": 5}, "fcnn") == 5
    assert plan.seeds({"seeds": {"fcnn": 7}}, "fcnn") == 7
    assert plan.seeds({"seeds": {"fcnn": 7}}, "gat") is None


def test_a_measure_is_taken_on_all_protocols_unless_it_names_some():
    config = {"measures": {"a": {}, "b": {"protocols": ["text"]}}}
    taken = {(name, protocol): plan.taken(config, name, protocol) for name in "ab" for protocol in ("text", "other")}
    assert taken == {("a", "text"): True, ("a", "other"): True, ("b", "text"): True, ("b", "other"): False}


def test_an_estimator_may_differ_by_architecture_and_where_a_measure_is_taken_is_none_of_its_business():
    block = {"estimator": {"fcnn": "released.fcnn", "gat": "released.gat"}, "protocols": ["text"], "options": {}}
    found = {name: plan.measure({"measures": {"a": block}}, "a", name) for name in ("fcnn", "gat", "lenet5")}
    assert {name: each["estimator"] for name, each in found.items()} == {
        "fcnn": "released.fcnn",
        "gat": "released.gat",
        "lenet5": None,
    }
    assert "protocols" not in found["fcnn"]


def test_the_choices_are_those_that_the_function_accepts():
    solvers = importlib.import_module("adaptive_sharpness.measures.worst_case").SOLVERS
    everything = {
        "norm": tuple(NORMS),
        "solver": solvers,
        "perturb": problems.PERTURBED,
    }
    assert plan.choices("measures/worst_case") == everything
    assert plan.choices("measures/average_case") == {key: everything[key] for key in ("norm", "perturb")}
    assert plan.choices("measures/hessian") == {"perturb": everything["perturb"]}


def test_the_models_of_a_job_may_differ_by_architecture():
    assert [plan.seeds_per_job({"seeds_per_job": {"fcnn": 20, "gat": 5}}, name) for name in ("fcnn", "gat")] == [20, 5]
    assert plan.seeds_per_job({"seeds_per_job": 7}, "fcnn") == 7


def test_of_a_network_that_is_not_named_a_job_has_ten_models():
    assert plan.seeds_per_job({"seeds_per_job": {"fcnn": 20}}, "mine") == 10
