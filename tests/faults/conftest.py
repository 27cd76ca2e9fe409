"""The tiny study without a fault, and with nothing made of it."""

import pytest
from study import Study
from tiny import ONE_CORE, TINY, finished_outputs


@pytest.fixture(scope="session")
def tiny(raw) -> dict:
    """The config of the tiny study, whose raw data lie in a folder."""
    sources = [{"directory": str(raw("abalone")), "files": {"abalone.data": "abalone.data"}}]
    return {**TINY, "datasets": {"abalone": {"sources": sources}}}


@pytest.fixture(scope="session")
def undisturbed(tiny, ran) -> Study:
    """The tiny study, run without a fault; not to be changed."""
    study = ran("undisturbed", tiny, *ONE_CORE)
    assert finished_outputs(study.run) == set(study.run.outputs)  # what tests of "nothing is made twice" rest on
    return study


@pytest.fixture
def nothing(tiny, fresh, tmp_path) -> Study:
    """The tiny study, of which nothing is made."""
    return fresh(tmp_path / "project", tiny)
