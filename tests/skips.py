"""In CI a test that is skipped fails the run: nobody reads the list of skipped tests of a run that is green."""

import os

import pytest

# What CI does not have; .ci/run installs all else that a test may need.
NOT_IN_CI = (
    "needs a GPU",
    "no ind.cora.* in ",
    "another user cannot read this environment",
    "only a call of pytest without paths ",  # .ci/run has one
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    """Said below all else, and of every reason but those above."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a process of pytest-xdist, which hands its reports on
        return result
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in reporter.stats.get("skipped", [])}
    unknown = sorted(reason for reason in reasons if not reason.startswith(NOT_IN_CI))
    if os.environ.get("CI") and unknown:
        reporter.write_line(f"failed: CI is set, and tests were skipped: {'; '.join(unknown)}", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    return result
