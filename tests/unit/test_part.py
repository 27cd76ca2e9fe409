"""Whether a study is a part of another one."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from adaptive_sharpness.study.config.part import lacking
from adaptive_sharpness.study.config.reading import BASE, merged, merged_files, own_keys, read_settings, wholes

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def part(config, tmp_path):
    """part(said, file): what a run lacks, whose command line and a config file over the study's say something."""

    def found(said: dict, file: dict | None = None) -> list[str]:
        (tmp_path / "over.yaml").write_text(yaml.safe_dump(file or {"seeds": 50}))
        files = [str(tmp_path / "over.yaml")] if file else []
        study = read_settings(merged(merged_files([BASE, *files]), said))
        return list(lacking(study, wholes(study, files)))

    return found


ELSEWHERE = {"pathvars": {"results": "results/mine"}}
FEWER = {"measures": {name: {"on": {"gat": {"rho": [0.02]}}} for name in ("report_pga", "worst_case")}}


def varied(*rates: float, **more: dict) -> dict:
    vary = {"training.optimiser.lr": list(rates)}
    return {"seeds": 3, "only": "report/gat", "protocols": {"report": {"gat": {"vary": vary}}}, **more}


@pytest.mark.parametrize(
    ("said", "file"),
    [
        (varied(0.2, 0.1, 0.3), varied(0.1, 0.2, **ELSEWHERE)),
        ({}, None),
        ({"seeds": 60}, None),
        ({"seeds_per_job": 7}, None),
        ({"only": "fcnn,lenet5,gat"}, None),
        ({}, {"seeds": 3, "only": "gat", **ELSEWHERE}),
        ({}, {"measures": {"worst_case": {"batches": 3}}}),
    ],
)
def test_a_whole_study_lacks_nothing(part, said, file):
    assert part(said, file) == []


@pytest.mark.parametrize(
    ("said", "file", "lacks"),
    [
        ({"only": "gat"}, None, ["no models of report/fcnn, report/lenet5"]),
        (varied(0.2), varied(0.1, 0.2, **ELSEWHERE), ["3 of 6 models of report/gat"]),
        (varied(0.2, 0.3), varied(0.1, 0.2, **ELSEWHERE), ["3 of 6 models of report/gat"]),
        ({"seeds": {"fcnn": 50, "lenet5": 50, "gat": 7}}, None, ["7 of 50 models of report/gat"]),
        (
            {"only": "gat", "seeds": 3},
            None,
            ["no models of report/fcnn, report/lenet5", "3 of 50 models of report/gat"],
        ),
        (
            {},
            {"seeds": 8},
            ["8 of 50 models of report/fcnn, 8 of 50 models of report/lenet5, 8 of 50 models of report/gat"],
        ),
        ({}, {"only": "gat"}, ["no models of report/fcnn, report/lenet5"]),
        ({"only": "gat"}, {"seeds": 3, **ELSEWHERE}, ["no models of report/fcnn, report/lenet5"]),
        ({"seeds": 2, **ELSEWHERE}, {"only": "gat"}, ["2 of 50 models of report/gat"]),
    ],
)
def test_what_a_part_lacks_is_said(part, said, file, lacks):
    found = part(said, file)
    assert len(found) == len(lacks)
    assert all(each.startswith(words) for each, words in zip(found, lacks, strict=True))


def test_radii_that_are_left_out_are_named(part):
    radii = "0.004, 0.01, 0.05, 0.1"
    assert part(FEWER) == [f"no report_pga of report/gat at rho {radii}, worst_case of report/gat at rho {radii}"]


def test_of_many_measures_that_are_left_out_four_are_named(part):
    said = part({"measures": {name: {"protocols": []} for name in ("worst_case", "average_case", "hessian")}})
    named = "worst_case of report/fcnn at rho 0.005, 0.0125, 0.025, 0.05, 0.1, average_case of report/fcnn at rho "
    assert said[0].startswith(f"no {named}")
    assert "hessian of report/fcnn, worst_case of report/lenet5 at rho 0.0001, 0.01 and 3 more" in said[0]


def test_files_that_are_no_study_by_themselves_are_no_whole(config, tmp_path):
    (tmp_path / "half.yaml").write_text("protocols: {report: {mine: {dataset: cora}}}\n")
    assert wholes(read_settings(deepcopy(config)), [str(tmp_path / "half.yaml")]) == [read_settings(deepcopy(config))]


def test_of_another_workflows_config_what_is_nearly_a_key_of_the_study_stays():
    assert own_keys({"samples": 1, "seeds": 2, "seed": 3}) == {"seeds": 2, "seed": 3}
