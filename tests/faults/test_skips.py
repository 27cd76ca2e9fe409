"""What tests/skips.py makes of a test that is skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = {  # by what a module's tests need
    "chromium": "pytestmark = pytest.mark.skipif(True, reason='no chromium')\ndef test_page():\n    pass\n",
    "a package": "pytest.importorskip('no_such_package', reason='no such package')\n",
    "GPU": "def test_gpu():\n    pytest.skip('needs a GPU')\n",
}


@pytest.mark.parametrize(
    ("ci", "needed", "processes", "said"),
    [
        ("true", MODULES, 0, "failed: CI is set, and tests were skipped: no chromium; no such package"),
        ("true", MODULES, 2, "failed: CI is set, and tests were skipped: no chromium; no such package"),
        ("true", ["GPU"], 0, None),
        ("", MODULES, 0, None),
    ],
    ids=["unknown", "unknown to one of two processes", "known", "elsewhere"],
)
def test_a_skip_fails_the_run_in_ci_unless_its_reason_is_known(tmp_path, ci, needed, processes, said):
    for name in needed:
        (tmp_path / f"test_{name.split()[-1]}.py").write_text(f"import pytest\n{MODULES[name]}")
    (tmp_path / "test_sound.py").write_text("def test_sound():\n    pass\n")
    places = {"cwd": tmp_path, "env": {**os.environ, "CI": ci, "PYTHONPATH": str(TESTS)}}
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "skips", "-n", str(processes)]
    done = subprocess.run(command, capture_output=True, text=True, **places)
    last = done.stdout.splitlines()[-1]
    assert f"1 passed, {len(needed)} skipped" in done.stdout
    assert (done.returncode, last if done.returncode else None) == (1 if said else 0, said), done.stdout
