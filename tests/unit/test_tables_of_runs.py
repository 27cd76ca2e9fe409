"""adaptive-sharpness tau: its numbers against scipy, the library and all exchanges; its words; each line of error."""

import io
import itertools
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from jsonschema import validate
from made_up_tables import KINDS, table
from scipy import stats as scipy_stats

from adaptive_sharpness import cli
from adaptive_sharpness.stats import (
    conditional_information,
    granulated,
    kendall,
    partial_kendall,
    selection,
    sign_error,
    within_between,
)
from adaptive_sharpness.stats.partial import gaussian_partial_kendall
from adaptive_sharpness.tables_of_runs import analysis
from adaptive_sharpness.tables_of_runs.columns import Question
from adaptive_sharpness.tables_of_runs.comparisons import comparisons

AXES = ["rate", "optimiser", "width"]
ASKED = ["--measure", "mu", "--target", "g"]
VARIED = [*ASKED, "--vary", "rate,optimiser,width", "--draws", "49"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def runs(kind: str = "all of these", seed: int = 0) -> pd.DataFrame:
    """A made-up table with holes, ties and repeats, and with rows that lack a value."""
    mu, g, axes = table(kind, seed)
    found = pd.DataFrame({"mu": mu, "g": g, **axes})
    found["other"] = np.random.default_rng(seed).normal(size=len(found))
    found["seed"] = found.groupby(AXES).cumcount()
    found.loc[2, "mu"], found.loc[5, "g"] = math.nan, math.inf
    return found


def finite(found: pd.DataFrame) -> pd.DataFrame:
    return found[np.isfinite(found["mu"]) & np.isfinite(found["g"])]


def answered(found: pd.DataFrame, *arguments: str) -> SimpleNamespace:
    """All tables, notes and sentences, as they are read from the files and from JSON."""
    found.to_parquet("runs.parquet")
    out = io.StringIO()
    stdout, sys.stdout = sys.stdout, out
    try:
        assert cli.main(["tau", "runs.parquet", *arguments, "--out", "out", "--json"]) == 0
    finally:
        sys.stdout = stdout
    said = json.loads(out.getvalue())
    tables = {name: pd.read_csv(f"out/{name}.csv", keep_default_na=True) for name in analysis.COLUMNS}
    return SimpleNamespace(**tables, json=said, sentences=said["sentences"], notes=said["notes"])


def codes(found: pd.DataFrame) -> np.ndarray:
    """The setting of each row, in order of appearance."""
    return pd.factorize(found[AXES].astype(str).agg(" ".join, axis=1))[0]


# What it computes


@pytest.mark.parametrize("kind", KINDS)
def test_tau_is_scipys_and_its_p_too_where_rows_are_independent(kind):
    found = runs(kind)
    (row,) = answered(found, *ASKED).tau.to_dict("records")
    wanted = scipy_stats.kendalltau(finite(found)["mu"], finite(found)["g"])
    assert (row["tau"], row["p"]) == pytest.approx((wanted.statistic, wanted.pvalue), rel=1e-12)
    assert row["p_holm"] == row["p"]
    assert row["n"] == row["clusters"] == len(finite(found)) == len(found) - 2


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "-"])
def test_a_table_is_read_from_csv_parquet_and_standard_input(ending, capsys, monkeypatch):
    found, source = runs(), f"runs.{ending}"
    if ending == "parquet":
        found.to_parquet(source)
    elif ending == "-":
        source = "-"
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(found.to_csv(index=False).encode())))
    else:
        found.to_csv(source, index=False)
    assert cli.main(["tau", source, *ASKED, "--json"]) == 0
    wanted = scipy_stats.kendalltau(finite(found)["mu"], finite(found)["g"]).statistic
    assert json.loads(capsys.readouterr().out)["tau"][0]["tau"] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("kind", ["repeats", "all of these"])
def test_where_settings_have_repeats_they_are_clusters(kind):
    found = runs(kind, 1)
    (row,) = answered(found, *VARIED, "--repeats", "seed").tau.to_dict("records")
    used = finite(found)
    wanted = kendall(found["mu"], found["g"], clusters=codes(found), permutations=49)
    both = within_between(found["mu"], found["g"], codes(found), permutations=49)
    assert (row["tau"], row["p"]) == (wanted.statistic, wanted.pvalue)
    assert (row["tau_low"], row["tau_high"]) == pytest.approx(wanted.confidence_interval(), rel=1e-12)
    assert (row["tau_within"], row["tau_between"]) == pytest.approx(both.statistic, rel=1e-12)
    assert (row["p_within"], row["p_between"]) == both.pvalue
    assert row["clusters"] == used.groupby(AXES).ngroups < row["n"]


def test_clusters_may_be_named():
    found = runs("repeats", 2)
    (row,) = answered(found, *ASKED, "--clusters", "rate", "--draws", "49").tau.to_dict("records")
    used = finite(found)
    wanted = kendall(used["mu"], used["g"], clusters=used["rate"], permutations=49)
    assert (row["clusters"], row["tau_low"]) == (wanted.clusters, pytest.approx(wanted.confidence_interval().low))
    (row,) = answered(found, *VARIED, "--clusters", "rate").axes.query("axis == 'all'").to_dict("records")
    wanted = granulated(used["mu"], used["g"], used[AXES], clusters=used["rate"], permutations=49)
    assert (row["psi"], row["psi_low"]) == pytest.approx((wanted.statistic, wanted.confidence_interval().low))


@pytest.mark.parametrize("kind", KINDS)
def test_what_settings_say_is_as_the_library_computes_it(kind):
    found = runs(kind, 3)
    answers = answered(found, *VARIED)
    values = found["mu"], found["g"], found[AXES]
    psi, k = granulated(*values, permutations=49), conditional_information(*values, permutations=49)
    errors = sign_error(*values, permutations=49)
    axes, sign_errors = (each.set_index("axis") for each in (answers.axes, answers.sign_errors))
    assert list(axes.index) == list(sign_errors.index) == ["all", *AXES]
    for name, one in {"all": psi, **psi.by_axis}.items():
        wanted = (one.statistic, one.pvalue, *one.confidence_interval())
        assert tuple(axes.loc[name, ["psi", "p", "psi_low", "psi_high"]]) == pytest.approx(wanted, nan_ok=True)
    for name, one in {"all": errors, **errors.by_axis}.items():
        shown = ["mean", "percentile_90", "maximum", "maximum_expected", "maximum_p", "environments"]
        wanted = (one.statistic, one.percentile_90, one.maximum, one.maximum_expected, one.maximum_pvalue)
        assert tuple(sign_errors.loc[name, shown]) == pytest.approx((*wanted, one.environments))
    (row,) = answers.information.to_dict("records")
    assert (row["information"], row["null_mean"], row["p"]) == pytest.approx((k.statistic, k.null_mean, k.pvalue))
    assert (row["settings"], row["draws"]) == (k.n, 49)
    (row,) = answers.selection.to_dict("records")
    regret = selection(found["mu"], found["g"], clusters=codes(found), permutations=49)
    assert (row["regret"], row["p"], row["best_found"]) == pytest.approx(
        (regret.statistic, regret.pvalue, regret.best_found)
    )


def test_a_table_of_which_all_is_known_by_hand():
    found = pd.DataFrame({"mu": [1, 2, 3, 4], "g": [1, 2, 4, 3], "lr": [0.1, 0.1, 0.2, 0.2], "wd": [0, 1, 0, 1]})
    answers = answered(found, *ASKED, "--vary", "lr", "--vary", "wd", "--draws", "9")
    assert dict(zip(answers.axes["axis"], answers.axes["psi"], strict=True)) == {"all": 0.5, "lr": 1, "wd": 0}
    assert answers.axes["cells"].tolist() == [4, 2, 2]
    assert answers.sign_errors[["mean", "maximum"]].to_numpy().tolist() == [[0.25, 1], [0, 0], [0.5, 1]]
    assert answers.tau["tau"].item() == pytest.approx(2 / 3)
    assert answers.selection["regret"].item() == 0


def test_several_measures_are_corrected_for():
    """max-T against all exchanges, and Holm by hand."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"a": rng.normal(size=6), "b": rng.normal(size=6), "g": np.arange(6.0)})
    found["b"] += found["g"]
    tau = answered(found, "--measure", "a", "--measure", "b", "--target", "g", "--draws", "4000").tau
    drawn = np.array(
        [
            [abs(scipy_stats.kendalltau(found[name][list(order)], found["g"]).statistic) for name in "ab"]
            for order in itertools.permutations(range(6))
        ]
    ).max(axis=1)
    wanted = [np.mean(drawn >= abs(each) - 1e-9) for each in tau["tau"]]
    assert tau["p_max_t"].tolist() == pytest.approx(wanted, abs=0.03)
    small, large = sorted(tau["p"])
    assert sorted(tau["p_holm"]) == pytest.approx([min(2 * small, 1), max(2 * small, large)])


def test_max_t_is_over_the_rows_that_all_measures_have():
    found = runs("full").assign(constant=1.0, empty=math.nan)
    some = answered(found, *ASKED, "--measure", "other", "--draws", "99").tau
    assert some["p_max_t"].between(0.01, 1).all()
    assert answered(finite(found), *ASKED, "--measure", "other", "--draws", "99").tau["p_max_t"].tolist() == list(
        some["p_max_t"]
    )
    with_constant = answered(found, *ASKED, "--measure", "other", "--measure", "constant", "--draws", "99").tau
    assert with_constant["p_max_t"][:2].tolist() == some["p_max_t"].tolist()
    assert with_constant["p_max_t"].isna()[2]
    none = answered(found, *ASKED, "--measure", "empty").tau
    assert none["p_max_t"].isna().all()
    assert none["tau"].notna().tolist() == [True, False]


@pytest.mark.parametrize("vary", [[], ["--vary", "rate,optimiser,width"]])
def test_what_is_left_given_the_training_loss(vary):
    found = runs("repeats", 4)
    (row,) = answered(found, *ASKED, "--given", "other", *vary, "--draws", "9").tau.to_dict("records")
    values = [found[name] for name in ("mu", "g", "other")]
    clusters = codes(found) if vary else range(len(found))
    assert row["given"] == "other"
    for name, function in (("partial_tau", partial_kendall), ("partial_tau_gaussian", gaussian_partial_kendall)):
        wanted = function(*values, clusters=clusters)
        shown = [row[each] for each in (name, f"{name}_low", f"{name}_high")]
        assert shown == pytest.approx([wanted.statistic, *wanted.confidence_interval()])


def test_each_group_is_answered_as_a_table_of_its_own():
    found = pd.concat([runs("full", seed).assign(arch=arch) for seed, arch in enumerate(("cnn", "vit"))])
    answers = answered(found.reset_index(), *VARIED, "--by", "arch")
    for arch in ("cnn", "vit"):
        alone = answered(found[found["arch"] == arch], *VARIED)
        for name in analysis.COLUMNS:
            part = getattr(answers, name).query("arch == @arch").drop(columns="arch").reset_index(drop=True)
            same = [column for column in part if column != "p_holm"]
            pd.testing.assert_frame_equal(part[same], getattr(alone, name)[same], check_dtype=False)
    assert list(answers.tau.columns[:3]) == ["arch", "measure", "target"]


def test_a_target_of_which_more_is_better_is_turned():
    found = runs("repeats", 5).assign(accuracy=lambda each: -each["g"])
    one = answered(found, *VARIED)
    other = answered(found, "--measure", "mu", "--maximise", "accuracy", *VARIED[4:])
    for name in analysis.COLUMNS:
        same = [column for column in analysis.COLUMNS[name] if column not in ("target", "maximised")]
        pd.testing.assert_frame_equal(getattr(one, name)[same], getattr(other, name)[same])
    assert "a lower accuracy" in other.sentences[0]
    assert "a higher g" in one.sentences[0]


def test_the_same_question_has_the_same_answer_to_the_byte_and_another_seed_another():
    found, files = runs("all of these", 1), {}
    for name, seed in (("one", "0"), ("again", "0"), ("other", "1")):
        answered(found, *VARIED, "--seed", seed)
        files[name] = {each: Path(f"out/{each}.csv").read_bytes() for each in analysis.COLUMNS}
    assert files["one"] == files["again"]
    assert files["one"]["axes"] != files["other"]["axes"]


# Where there is no number


@pytest.mark.parametrize(
    ("changed", "name", "reason"),
    [
        ({"mu": 1.0}, "tau", "all values of the measure tie"),
        ({"g": 1.0}, "tau", "all values of the target tie"),
        ({"mu": 1.0, "g": 1.0}, "axes", "all values of the measure and of the target tie"),
        ({"g": 1.0}, "information", "all values of the target tie"),
        ({"g": 1.0}, "selection", "at least half of all values of the target tie at the lowest"),
        ({"mu": math.nan}, "tau", "0 usable rows, wanted at least 3"),
        ({"mu": math.nan}, "axes", "0 usable settings, wanted at least 2"),
        ({"mu": math.nan}, "information", "0 usable settings, wanted at least 3"),
        ({"mu": math.nan}, "sign_errors", "no two settings differ in one axis alone"),
        ({"mu": math.nan}, "selection", "0 usable settings, wanted at least 3"),
        ({"rate": range(24), "width": range(24)}, "axes", "no two settings differ in one axis alone"),
        ({"rate": 1, "optimiser": 1, "width": np.repeat(range(8), 3)}, "tau", ""),
    ],
)
def test_a_number_that_does_not_exist_has_a_reason(changed, name, reason):
    full = pd.concat([runs("full", seed) for seed in range(3)]).iloc[:24].reset_index(drop=True)
    row = getattr(answered(full.assign(**changed), *VARIED), name).iloc[0]
    assert ("" if pd.isna(row["reason"]) else row["reason"]) == reason


def test_one_level_is_said_of_its_axis():
    axes = answered(runs("full").assign(width=1), *VARIED).axes.set_index("axis")
    assert axes.loc["width", "reason"] == "one level"
    assert math.isnan(axes.loc["width", "psi"])


def test_without_hyper_parameters_tables_say_how_to_name_them():
    answers = answered(runs(), *ASKED)
    for name in ("axes", "information", "sign_errors"):
        assert getattr(answers, name)["reason"].tolist() == ["no hyper-parameters: name them with --vary"]


def test_a_tau_of_one_has_no_interval_and_three_rows_neither():
    found = pd.DataFrame({"mu": [1, 2, 3, 4], "g": [1, 2, 3, 4], "c": [1, 1, 2, 2]})
    assert answered(found, *ASKED).tau["reason"].item() == "no interval: tau is 1 or -1"
    found["g"] = [1, 2, 4, 3]
    assert answered(found[1:], *ASKED).tau["reason"].item() == "no interval: too few rows"
    found["c"] = [1, 2, 2, 2]
    reason = "no two clusters can be exchanged: each has its own number of rows"
    assert answered(found, *ASKED, "--clusters", "c").tau["reason"].item() == reason


def test_a_table_too_large_for_pairs_still_has_a_tau():
    """Fisher's interval where rows are independent; nothing where they are not."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.normal(size=(4200, 3)), columns=["mu", "g", "other"]).assign(id=range(4200))
    found["g"] += found["mu"]
    asked = [*ASKED, "--measure", "other", "--vary", "id", "--given", "other", "--draws", "9"]
    answers = answered(found, *(each if each != "other" else "id" for each in asked[:6]), *asked[6:])
    row = answers.tau.iloc[0]
    tau = scipy_stats.kendalltau(found["mu"], found["g"])
    half = 1.959964 * math.sqrt(0.437 / 4196)
    assert (row["tau"], row["p"]) == pytest.approx((tau.statistic, tau.pvalue))
    assert row["tau_high"] == pytest.approx(math.tanh(math.atanh(tau.statistic) + half), abs=1e-6)
    assert pd.isna(row["p_max_t"])
    assert answers.information["reason"][0] == "more than 4,096 settings"
    too_many = "more than 1,048,576 pairs of settings differ in one hyper-parameter alone"
    assert answers.axes["reason"][0] == answers.sign_errors["reason"][0] == too_many
    for many, clusters in (
        (pd.concat([found, found]), "id"),
        (pd.concat([found] * 4).assign(ten=found["id"] % 10), "ten"),
    ):
        row = answered(many, *ASKED, "--clusters", clusters, "--draws", "9").tau.iloc[0]
        assert row["reason"] == "more than 4,096 clusters or 16,384 rows: neither interval nor p"
        assert row[["p", "tau_low", "tau_within"]].isna().all()


def test_exchanges_are_as_many_as_take_seconds():
    """Of continuous hyper-parameters each pair of settings differs in one alone, if there is no other."""
    found = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, 2)), columns=["mu", "g"]).assign(id=range(1000))
    (each,) = comparisons(found, Question(("mu",), ("g",), vary=("id",)))
    assert each.pairs == 1000 * 999 // 2
    assert (each.fitting(999), each.fitting(50)) == (2**26 // each.pairs, 50)
    grid = runs("full")
    (each,) = comparisons(grid, Question(("mu",), ("g",), vary=tuple(AXES)))
    assert each.fitting(999) == 999
    assert each.pairs == sum(_pairs_in(finite(grid), axis) for axis in AXES)


def _pairs_in(found: pd.DataFrame, axis: str) -> int:
    return sum(math.comb(size, 2) for size in found.groupby([name for name in AXES if name != axis]).size())


def test_rows_without_a_value_are_left_out_and_counted():
    found = runs("full").assign(arch="cnn")
    found.loc[[0, 1], "rate"] = math.nan
    found.loc[[1, 3], "arch"] = None
    answers = answered(found, *VARIED, "--by", "arch")
    assert answers.notes == [
        f"left out: 3 of {len(found)} rows without rate or arch; of the others 1 without mu, 1 without g"
    ]
    assert answers.tau["n"].item() == len(found) - 5
    assert answered(found, *ASKED).notes == [f"left out: of {len(found)} rows 1 without mu, 1 without g"]
    assert answered(found.drop(index=[2, 5]), "--measure", "mu", "--target", "g").notes == []


def test_more_tests_than_exchanges_can_tell_are_pointed_out():
    found = runs("repeats")
    notes = answered(found, *VARIED[:-2], "--draws", "9").notes
    assert notes[-1] == "1 tests by 9 exchanges: no Holm's p can be below 0.1; take more --draws"
    assert all("exchanges" not in note for note in answered(found, *VARIED).notes)


# What it says


def simpson() -> pd.DataFrame:
    """Thirty settings of three repeats: they rise together, and within each of them one falls."""
    setting, repeat = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    return pd.DataFrame({"mu": setting + repeat / 10, "g": setting - repeat / 10, "lr": setting, "seed": repeat})


def test_a_sign_is_told_with_its_interval_and_p():
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"mu": rng.normal(size=90)}).assign(g=lambda each: each["mu"] + rng.normal(size=90))
    (row,), (said,) = (answered(found, *ASKED).json[name] for name in ("tau", "sentences"))
    shown = (
        f"tau {row['tau']:.3f} (95 % interval {row['tau_low']:.3f} to {row['tau_high']:.3f}, Holm's p < 0.001, 90 rows)"
    )
    assert said == f"A higher mu goes with a higher g: {shown}."
    assert (
        answered(found.assign(mu=-found["mu"]), *ASKED)
        .sentences[0]
        .startswith("A higher mu goes with a lower g: tau -")
    )


def test_what_cannot_be_told_is_said_with_what_could_be_seen():
    rng = np.random.default_rng(1)
    found = pd.DataFrame(rng.normal(size=(50, 3)), columns=["mu", "g", "other"])
    (said,) = answered(found, *ASKED, "--given", "other").sentences
    assert said.startswith("The table cannot tell whether mu and g go together: tau ")
    assert "; so many would show a tau of 0.266 four times in five; given other it is " in said


def test_no_tau_is_said_with_its_reason():
    assert answered(runs().assign(mu=1), *ASKED).sentences == ["mu and g have no tau: all values of the measure tie."]


def test_settings_and_repeats_of_opposite_signs_are_pointed_out():
    (said,) = answered(simpson(), *ASKED, "--vary", "lr", "--repeats", "seed").sentences
    assert "90 rows in 30 clusters" in said
    assert (
        "; between settings it is 1.000, within them -1.000; with one hyper-parameter varied at a time it is 1.000"
        in said
    )


def test_granulated_tau_is_said_if_there_is_one():
    found = runs("full")
    psi = granulated(finite(found)["mu"], finite(found)["g"], finite(found)[AXES], permutations=0)
    low, high = psi.confidence_interval()
    assert (
        answered(found, *VARIED)
        .sentences[0]
        .endswith(f"; with one hyper-parameter varied at a time it is {psi.statistic:.3f} ({low:.3f} to {high:.3f}).")
    )
    random = found.assign(rate=range(len(found)), width=range(len(found)))
    assert "varied" not in answered(random, *VARIED).sentences[0]


def test_groups_are_named_by_the_sign_that_is_told():
    rng = np.random.default_rng(2)
    noise, mu = rng.normal(size=(2, 60))
    groups = {"up": mu + noise / 4, "more": mu + noise / 4, "down": noise / 4 - mu, "flat": noise, "none": 0 * mu}
    found = pd.concat([pd.DataFrame({"mu": mu, "g": g, "arch": name}) for name, g in groups.items()])
    (said,) = answered(found, *ASKED, "--by", "arch").sentences
    tau = {name: f"{name} ({scipy_stats.kendalltau(mu, g).statistic:.3f})" for name, g in groups.items()}
    assert said == (
        f"By arch: a higher mu goes with a higher g for {tau['more']} and {tau['up']}, with a lower g for "
        f"{tau['down']}, the table cannot tell for {tau['flat']}, there is no tau for none."
    )


def test_groups_without_a_sign_are_named_with_measure_and_target():
    draw = np.random.default_rng(3).normal(size=(20, 2))
    found = pd.DataFrame(draw, columns=["mu", "g"]).assign(arch="cnn")
    (said,) = answered(found, *ASKED, "--by", "arch").sentences
    assert said.startswith("By arch: the table cannot tell whether mu and g go together for cnn (")
    (said,) = answered(found.assign(mu=1), *ASKED, "--by", "arch").sentences
    assert said == "By arch: there is no tau of mu and g for cnn."


def test_of_a_table_without_numbers_the_reason_is_printed(capsys):
    found = runs("full")
    found.assign(rate=range(len(found)), width=range(len(found))).to_csv("runs.csv", index=False)
    assert cli.main(["tau", "runs.csv", *VARIED]) == 0
    said = capsys.readouterr().out
    assert "varies at a time: none, no two settings differ in one axis alone; " in said
    assert "hyper-parameter: none, no two settings differ in one axis alone\n" in said


def test_a_sentence_for_each_measure_and_target_in_the_order_asked_for():
    found = runs("full").assign(accuracy=lambda each: -each["g"])
    said = answered(found, *ASKED, "--measure", "other", "--maximise", "accuracy").sentences
    named = [("mu", "g"), ("mu", "accuracy"), ("other", "g"), ("other", "accuracy")]
    assert all(measure in line and target in line for (measure, target), line in zip(named, said, strict=True))


def test_tables_and_sentences_are_printed(capsys):
    runs("all of these").assign(**{"[bold]": 1.0}).to_csv("runs.csv", index=False)
    assert cli.main(["tau", "runs.csv", *VARIED, "--given", "other", "--measure", "[bold]"]) == 0
    said = capsys.readouterr().out
    titles = ("Kendall's tau", "Granulated tau", "Conditional information", "Sign errors", "Selection")
    places = [said.index(title) for title in titles]
    assert places == sorted(places)
    assert "[bold] and g have no tau: all values of the measure tie." in said
    assert "given other" in said
    assert cli.main(["tau", "runs.csv", *ASKED]) == 0
    said = capsys.readouterr().out
    assert all((title in said) == (title in ("Kendall's tau", "Selection")) for title in titles)


# JSON, files and processes

NUMBER, TEXT = {"type": ["number", "null"]}, {"type": "string"}
TYPES = {
    **dict.fromkeys(("measure", "target", "axis", "reason"), TEXT),
    **{"maximised": {"type": "boolean"}, "given": {"type": ["string", "null"]}, "arch": TEXT},
}


@pytest.mark.parametrize("more", [[], ["--by", "arch"], ["--given", "other", "--measure", "constant"]])
def test_json_has_every_column_of_every_table(more):
    answers = answered(runs().assign(arch="cnn", constant=1.0), *VARIED, *more)
    tables = {}
    for name, columns in analysis.COLUMNS.items():
        columns = [*(["arch"] if "arch" in more else []), *columns]
        properties = {column: TYPES.get(column, NUMBER) for column in columns}
        rows = {"type": "object", "required": columns, "properties": properties, "additionalProperties": False}
        tables[name] = {"type": "array", "minItems": 1, "items": rows}
    lines = {"type": "array", "items": TEXT}
    about = {"runs": TEXT, "rows": NUMBER, "draws": NUMBER, "seed": NUMBER, "notes": lines, "sentences": lines}
    properties = about | tables
    wanted = {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
    validate(answers.json, wanted)
    for name in analysis.COLUMNS:
        assert list(answers.json[name][0]) == list(getattr(answers, name).columns)


def test_the_command_needs_neither_torch_nor_snakemake():
    runs().to_csv("runs.csv", index=False)
    code = f"import sys; from adaptive_sharpness import cli; cli.main(['tau', 'runs.csv', *{VARIED}, '--out', 'out'])"
    code += "; print(*{'torch', 'snakemake', 'dvc', 'pydantic', 'matplotlib'} & sys.modules.keys(), 'left')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "left"
    assert done.stderr == ""


def process(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "adaptive_sharpness.cli", "tau", *arguments]
    return subprocess.run(command, input=given, capture_output=True)


def test_it_runs_as_a_process_on_standard_input_in_any_encoding(monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ, "PYTHONIOENCODING": "ascii"})
    done = process("-", *VARIED, given=runs().to_csv(index=False).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"tau" in done.stdout


def test_without_a_measure_the_columns_of_numbers_are_listed():
    done = process("-", given=b"arch,loss,sharpness\ncnn,1,2\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"-: got no --measure, wanted at least one; its columns of numbers: loss, sharpness\n"


FILES = {
    "runs.csv": "mu,g,lr,arch,seed\n1,2,0.1,cnn,0\n2,3,0.1,cnn,0\n3,1,0.2,vit,0\n",
    "empty.csv": "",
    "header.csv": "mu,g\n",
    "ragged.csv": "mu,g\n1,2\n1,2,3,4\n",
    "broken.parquet": "PAR1 and no more",
    "holes.csv": "mu,g,lr\n1,2,\n2,3,\n",
    "many.csv": ",".join(f"x{each}" for each in range(14)) + "\n" + ",".join("1" * 14) + "\n",
}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["none.csv"], "none.csv: got No such file or directory, wanted a csv or parquet file"),
        (["."], ".: got Is a directory, wanted a csv or parquet file"),
        (
            ["empty.csv"],
            "empty.csv: got what cannot be read (No columns to parse from file), wanted a csv or parquet file",
        ),
        (["header.csv"], "header.csv: got a table without rows, wanted a row a run"),
        (["ragged.csv"], "ragged.csv: got what cannot be read (*), wanted a csv or parquet file"),
        (["broken.parquet"], "broken.parquet: got what cannot be read (*), wanted a csv or parquet file"),
        (["binary.csv"], "binary.csv: got what cannot be read (*), wanted a csv or parquet file"),
        (["twice.parquet"], "twice.parquet: got what cannot be read (*), wanted a csv or parquet file"),
        (["runs.csv"], "runs.csv: got no --measure, wanted at least one; its columns of numbers: mu, g, lr, seed"),
        (
            ["runs.csv", "--measure", "mu"],
            "runs.csv: got no --target, wanted at least one; its columns of numbers: mu, g, lr, seed",
        ),
        (["runs.csv", *ASKED, "--by", "Arhc"], "--by: got 'Arhc', wanted a column of the table, such as 'arch'"),
        (
            ["runs.csv", *ASKED, "--vary", "lr,momentum"],
            "--vary: got 'momentum', wanted a column of the table: 'mu', 'g', 'lr', 'arch', 'seed'",
        ),
        (
            ["many.csv", *ASKED],
            "--measure: got 'mu', wanted a column of the table: "
            + ", ".join(f"'x{each}'" for each in range(12))
            + " and 2 more",
        ),
        (
            ["runs.csv", *ASKED, "--measure", "arch"],
            "--measure: got 'arch' with 'cnn' in it, wanted a column of numbers",
        ),
        (["runs.csv", *ASKED, "--given", "arch"], "--given: got 'arch' with 'cnn' in it, wanted a column of numbers"),
        (["runs.csv", *ASKED, "--target", "mu"], "--measure: got 'mu', wanted another column than --target"),
        (["runs.csv", *ASKED, "--given", "g"], "--given: got 'g', wanted another column than --target"),
        (["runs.csv", *ASKED, "--given", "mu"], "--given: got 'mu', wanted another column than --measure"),
        (
            ["runs.csv", *ASKED, "--vary", "lr,seed", "--repeats", "seed"],
            "--repeats: got 'seed', wanted another column than --vary",
        ),
        (
            ["runs.csv", *ASKED, "--repeats", "seed"],
            "--repeats: got no --vary, wanted the columns that say which rows are repeats of each other",
        ),
        (
            ["runs.csv", *ASKED, "--repeats", "seed", "--vary", "lr"],
            "--repeats: got two rows of one setting with seed 0, wanted each setting once with each: is there a column "
            "more to --vary?",
        ),
        (
            ["runs.csv", *ASKED, "--vary", "arch", "--clusters", "g"],
            "clusters: got models of one setting in several clusters, wanted every setting in one",
        ),
        (
            ["named.csv", *ASKED, "--by", "tau"],
            "--by: got 'tau', which the tables have for themselves, wanted another name",
        ),
        (["holes.csv", *ASKED, "--vary", "lr"], "table: got no row with a value in each of lr, wanted some"),
        (["runs.csv", *ASKED, "--out", "runs.csv"], "--out: got runs.csv (File exists), wanted a folder to write to"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, line, capsys):
    for name, text in FILES.items():
        with open(name, "w") as file:
            file.write(text)
    with open("binary.csv", "wb") as file:
        file.write(bytes(range(128, 256)))
    pyarrow.parquet.write_table(pyarrow.table([[1], [2]], names=["mu", "mu"]), "twice.parquet")
    pd.DataFrame({"mu": [1.0], "g": [1.0], "tau": [1.0]}).to_csv("named.csv", index=False)
    assert cli.main(["tau", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    start, _, end = line.partition("*")
    assert said.startswith(start)
    assert said.endswith(f"{end}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "the following arguments are required: RUNS"),
        (["runs.csv", "--draws", "0"], "argument --draws: got '0', wanted a whole number of at least 1"),
        (["runs.csv", "--seed", "-1"], "argument --seed: got '-1', wanted a whole number of at least 0"),
        (["runs.csv", "--vary", "lr,,wd"], "argument --vary: got 'lr,,wd', wanted names with a comma between them"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments, line, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["tau", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"adaptive-sharpness tau: error: {line}"


def test_the_example_of_the_help_is_one(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["tau", "--help"])
    assert caught.value.code == 0
    example = capsys.readouterr().out.split("example:")[1].replace("\\\n", "").split()
    rng = np.random.default_rng(0)
    names = ["sharpness", "weight_norm", "val_loss", "train_loss"]
    found = pd.DataFrame(rng.normal(size=(18, 4)), columns=names)
    found[["lr", "wd", "seed"]] = list(itertools.product(range(3), range(3), range(2)))
    found.to_csv("runs.csv", index=False)
    assert example[0] == "adaptive-sharpness"
    assert cli.main(example[1:]) == 0
    assert len(pd.read_csv("answers/tau.csv")) == 2


def test_the_page_names_every_option_and_every_column(capsys):
    page = (Path(__file__).parents[2] / "docs/tau.md").read_text("utf-8")
    with pytest.raises(SystemExit):
        cli.main(["tau", "--help"])
    options = set(re.findall(r"--\w+", capsys.readouterr().out)) - {"--help"}
    named = set(re.findall(r"`([^`\n]+)`", page))
    assert options | {"reason", "draws"} | set().union(*analysis.COLUMNS.values()) <= named
    assert {f"{name}.csv" for name in analysis.COLUMNS} <= named


def test_levels_of_any_kind_are_told_apart():
    found = runs("full").reset_index(drop=True)
    wanted = answered(found, *VARIED).axes
    lists = found.assign(width=[[int(width)] * 2 for width in found["width"]])
    pd.testing.assert_frame_equal(answered(lists, *VARIED).axes, wanted)
