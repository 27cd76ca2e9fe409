"""A job of the study in a process of its own, part by part: python -m benchmarks.job FILE BEGUN.

Does what workflow/scripts/train.py or measure.py does, in its order, and prints the seconds of each part and the peak
memory in MB as JSON. The file says what to do: see `task`. BEGUN is the time.time() at which the process was started.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.peak import peak
from benchmarks.places import PLUGINS, files


def main(file: str, begun: float) -> None:
    given = json.loads(Path(file).read_text())
    do = {"train": _train, "measure": _measure}[given["kind"]]
    print(json.dumps({**do(given, begun), "peak": peak()}))


def _train(given: dict, begun: float) -> dict[str, float]:
    from adaptive_sharpness import plugins
    from adaptive_sharpness.study.config.pools import PoolSettings
    from adaptive_sharpness.study.training.shard import train_shard

    pool = PoolSettings.model_validate(given["pool"])
    plugins.module("architectures", pool.architecture, PLUGINS)  # as it comes to pass later in a job
    here, dataset, made_from, started, read = _read(given)
    trained = train_shard(pool, dataset, range(*given["seeds"]), here.device, here.folder)
    computed = time.time()
    trained.save(**files(given["checkpoint"]), made_from=made_from, labels={}, provenance=here.provenance())
    return _parts(begun, started, read, computed)


def _measure(given: dict, begun: float) -> dict[str, float]:
    from adaptive_sharpness import plugins
    from adaptive_sharpness.study.config.measures import Measurement
    from adaptive_sharpness.study.config.pools import PoolSettings
    from adaptive_sharpness.study.measuring.shard import measure_shard

    pool, way = PoolSettings.model_validate(given["pool"]), Measurement.model_validate(given["way"])
    plugins.module("architectures", pool.architecture, PLUGINS)
    plugins.module("measures", way.estimator, PLUGINS)
    here, dataset, made_from, started, read = _read(given)
    how = {"made_from": made_from, "dataset": dataset, "device": here.device, "folder": here.folder}
    found = measure_shard(pool, way, given["rho"], checkpoint=given["checkpoint"], **how)
    computed = time.time()
    found.assign(**here.provenance()).to_parquet(f"{given['checkpoint']}.parquet", index=False)
    return _parts(begun, started, read, computed)


def _read(given: dict) -> tuple:
    """Where it runs, data set and what determines a checkpoint; when the job began to read, and when it had read."""
    from adaptive_sharpness.datasets import Dataset
    from adaptive_sharpness.study.running import job

    job.start(given["log"], 1, PLUGINS)
    here = job.Here(0, PLUGINS)
    started = time.time()
    dataset = Dataset.read(given["dataset"])
    return here, dataset, job.made_from(given["pool"], given["dataset"]), started, time.time()


def _parts(begun: float, started: float, read: float, computed: float) -> dict[str, float]:
    ended = time.time()
    return {
        "start": started - begun,
        "read": read - started,
        "compute": computed - read,
        "write": ended - computed,
    }


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
