"""What a config asks for: pools, shards, measurements, paths and parameters."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.reading import merged, read_settings
from adaptive_sharpness.study.plan import SEARCH, Plan

ROOT = Path(__file__).parents[2]
PGA = {"batches": 5, "solver": "pga", "steps": 5, "rate": "training", "origin": False, "estimator": "worst_case"}
APGD = {"batches": 5, "solver": "apgd", "steps": 20, "estimator": "worst_case"}


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    """The user's plug-ins lie below the folder that Snakemake is called from."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def plan(config):
    """plan(changes): the plan of the shipped config with some changes, as Snakemake merges them."""

    def make(changes: dict | None = None) -> Plan:
        settings = read_settings(merged(deepcopy(config), changes or {}))
        return Plan(settings, lambda rule: ROOT / f"workflow/scripts/{rule}.py")

    return make


@pytest.fixture
def measured(config):
    """measured(**measures): a plan in which these measures are all there are, at one radius where not said."""

    def make(**measures: dict) -> Plan:
        pools = config["protocols"]["report"]
        for block in measures.values():
            grid = {} if block["estimator"] == "hessian" else {"rho": [0.1]}
            block["on"] = {**dict.fromkeys(pools, grid), **block.get("on", {})}
        settings = read_settings({**config, "measures": measures, "published": {}})
        return Plan(settings, lambda rule: ROOT / f"workflow/scripts/{rule}.py")

    return make


# How a measure is taken


def test_what_stands_under_on_holds_for_one_pool_and_what_the_block_says_for_all(measured):
    on = {"gat": {"rho": [0.1], "batches": 25, "steps": 10, "stacked": 3}}
    plan = measured(a={**APGD, "norm": "l2", "on": on})
    fcnn, gat = (plan.way("report", pool, "a") for pool in ("fcnn", "gat"))
    assert (fcnn["batches"], fcnn.get("stacked"), fcnn["options"]) == (5, None, {"norm": "l2"})
    assert (gat["batches"], gat["stacked"], gat["options"]) == (25, 3, {"norm": "l2", "steps": 10})


@pytest.mark.parametrize(("key", "value"), [("origin", False), ("rate", 0.5)])
def test_an_option_that_is_not_the_default_is_said(measured, key, value):
    plan = measured(a={**PGA, key: value})
    assert plan.way("report", "fcnn", "a")["options"][key] == value


def test_an_option_that_is_the_default_is_not_said(measured):
    said = measured(a={**APGD, "scale": "adaptive", "norm": "linf", "restarts": 0, "batch_size": 64, "seed": 0})
    assert said.way("report", "fcnn", "a") == measured(a={**APGD}).way("report", "fcnn", "a")


def test_a_value_that_equals_a_default_in_number_alone_is_said(measured):
    """1 is true to Python, and 20.0 is 20; a function may tell them apart."""
    assert measured(a={**APGD, "steps": 20}).way("report", "fcnn", "a")["options"] == {}
    assert plugins.options("measures", "worst_case")["steps"].default == 20


def test_the_estimator_is_the_name_of_the_measure_unless_another_is_named(plan):
    shipped = plan()
    found = {name: shipped.way("report", "fcnn", name)["estimator"] for name in shipped.study.measures}
    assert found == {name: "worst_case" if name == "report_pga" else name for name in found}


def test_an_estimator_may_differ_by_pool(measured):
    on = {"gat": {"rho": [0.1], "estimator": "average_case"}}
    plan = measured(a={"batches": 5, "estimator": "worst_case", "on": on})
    assert [plan.way("report", pool, "a")["estimator"] for pool in ("fcnn", "gat")] == ["worst_case", "average_case"]


def test_what_a_graphs_network_sees_is_the_measures_business_and_not_trainings(plan):
    shipped = plan()
    assert shipped.way("report", "gat", "worst_case")["hops"] == 2
    assert "hops" not in shipped.pool("report", "gat")
    assert "hops" not in shipped.way("report", "fcnn", "worst_case")


# What determines a model


def test_a_pool_names_its_architecture(plan):
    assert plan().pool("report", "fcnn")["architecture"] == "fcnn"
    assert plan({"protocols": {"report": {"gat": {"architecture": "gat"}}}}).pool("report", "gat") == plan().pool(
        "report", "gat"
    )


def test_the_seeds_of_a_pool_do_not_determine_a_model(plan):
    more = plan({"protocols": {"report": {"gat": {"seeds": 3}}}})
    assert more.pool("report", "gat") == plan().pool("report", "gat")
    assert [shard["seeds"] for shard in more.shards if shard["pool"] == "gat"] == ["000-002"]


def test_keys_of_parameters_are_sorted_however_deep(plan):
    shipped = plan()
    for block in (
        shipped.pool("report", "gat"),
        shipped.way("report", "gat", "worst_case"),
        shipped.hashes("cora"),
    ):
        assert json.dumps(block) == json.dumps(block, sort_keys=True)


# Pools, shards and measurements


def test_a_pool_is_cut_into_shards_of_which_the_last_holds_the_rest(plan):
    cut = plan({"seeds": 5, "seeds_per_job": {"fcnn": 2, "gat": 5}, "only": "fcnn,gat,lenet5"})
    shards = {pool: [s["seeds"] for s in cut.shards if s["pool"] == pool] for pool in ("fcnn", "gat", "lenet5")}
    assert shards == {"fcnn": ["000-001", "002-003", "004-004"], "gat": ["000-004"], "lenet5": ["000-004"]}


def test_of_a_pool_that_is_not_named_a_job_has_ten_models(plan):
    cut = plan({"seeds": 15, "only": "lenet5", "seeds_per_job": 10})
    assert [shard["seeds"] for shard in cut.shards] == ["000-009", "010-014"]
    assert plan().study.seeds_per_job_of("mine") == 10


def test_only_chooses_pools_and_their_data_sets(plan):
    chosen = plan({"only": "gat"})
    assert chosen.datasets == ["cora"]
    assert {each["pool"] for each in chosen.measured} == {"gat"}


def test_radii_are_spelled_so_that_equal_numbers_are_equal_paths_and_none_is_lost(plan):
    grid = [1.0, 0.5, 1e-4, 1e-05, 0.1 + 0.2]
    chosen = plan({"measures": {"report_pga": {"on": {"fcnn": {"rho": grid}}}}})
    rho = [m["rho"] for m in chosen.measurements if (m["measure"], m["pool"]) == ("report_pga", "fcnn")]
    assert rho == ["1.0", "0.5", "0.0001", "1e-05", "0.30000000000000004"]
    assert [float(each) for each in rho] == grid


def test_a_measure_without_a_ball_has_none_in_place_of_a_radius(plan):
    assert [m["rho"] for m in plan().measurements if m["measure"] == "hessian"] == ["none"]


def test_a_measure_is_taken_on_all_protocols_unless_it_names_some(plan, config):
    other = {"protocols": {"other": {"fcnn": config["protocols"]["report"]["fcnn"]}}}
    both = plan(other)
    some = plan({**other, "measures": {"hessian": {"protocols": ["other"]}}})
    found = [[m["protocol"] for m in each.measurements if m["measure"] == "hessian"] for each in (both, some)]
    assert found == [["report", "other"], ["other"]]


def test_a_data_set_may_read_the_raw_files_of_another(plan):
    released = {"datasets": {"abalone_released": {"raw": "abalone"}}, "plugins": "studies/hammoud2023/plugins"}
    shared = plan(released)
    assert [shared.raw(name) for name in ("abalone", "abalone_released", "cora")] == ["abalone", "abalone", "cora"]
    assert shared.preparation("abalone_released")["sha256"] == shared.hashes("abalone")


# Balls: measures whose values can be compared


def groups(plan: Plan, pool: str = "fcnn") -> list[list[str]]:
    return plan.balls().get(pool, [])


@pytest.mark.parametrize(
    "search",
    [
        {"solver": "pga"},
        {"steps": 60},
        {"solver": "pga", "rate": "training"},
        {"restarts": 5},
        {"solver": "pga", "origin": False},
        {"convergence": 1},
        {"batches": 100},
        {"stacked": 50},
        {"scale": "adaptive", "norm": "linf", "perturb": "all", "normalise_logits": False},
        dict(reversed({"scale": "adaptive", "norm": "linf", "perturb": "all", "normalise_logits": False}.items())),
    ],
)
def test_how_hard_a_measure_searches_does_not_change_its_ball(measured, search):
    assert groups(measured(a={**APGD}, b={**APGD, **search})) == [["a", "b"]]


@pytest.mark.parametrize(
    "sought",
    [
        {"norm": "l2"},
        {"scale": "none"},
        {"perturb": "weights"},
        {"normalise_logits": True},
        {"batch_size": 32},
        {"seed": 1},
        {"seed": "own"},
    ],
)
def test_what_is_sought_and_on_which_batches_changes_the_ball(measured, sought):
    assert groups(measured(a={**APGD}, b={**APGD, **sought})) == []


def test_a_ball_that_differs_by_pool_is_compared_where_it_is_the_same(measured):
    plan = measured(a={**APGD, "on": {"gat": {"rho": [0.1], "norm": "l2"}}}, b={**PGA})
    assert plan.balls() == {"fcnn": [["a", "b"]], "lenet5": [["a", "b"]]}


@pytest.mark.parametrize("estimator", ["average_case", "hessian"])
def test_a_measure_that_seeks_no_maximum_is_compared_with_nothing(measured, estimator):
    block = {"batches": 5, "estimator": estimator}
    assert measured(a={**block}, b={**block}).balls() == {}


def test_in_the_study_the_report_is_compared_with_the_worst_case_and_with_nothing_else(plan):
    assert plan().balls() == {pool: [["report_pga", "worst_case"]] for pool in ("fcnn", "gat", "lenet5")}


def test_how_hard_to_search_is_an_option_of_the_measure_that_searches():
    assert set(SEARCH) <= set(plugins.options("measures", "worst_case"))


# Parameters that a person reads in a dry run


def test_no_parameter_grows_with_the_number_of_models(plan):
    """Snakemake prints them all where one has changed."""
    few, many = plan({"seeds": 10}), plan({"seeds": 2000})
    assert len(many.measured) > 20 * len(few.measured)
    params = [[(job.rule, {**job.settings, "labels": ""}) for job in each.jobs()] for each in (few, many)]
    sizes = [{rule: len(repr(said)) for rule, said in each} for each in params]
    assert sizes[0] == sizes[1]
