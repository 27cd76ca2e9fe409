"""Files from the future, as they are once a clock has been set back."""

import os
import time

import pytest

from adaptive_sharpness.study.running.timestamps import forget_the_future


def test_a_file_of_tomorrow_becomes_one_of_now_and_others_stay(tmp_path):
    now = time.time()
    for name, age in (("old", -100), ("new", 86400)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now + age,) * 2)
    forget_the_future([tmp_path, tmp_path / "nowhere"])
    assert (tmp_path / "old").stat().st_mtime == pytest.approx(now - 100, abs=0.1)
    assert now <= (tmp_path / "new").stat().st_mtime <= time.time()
