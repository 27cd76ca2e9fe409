"""A job of the study in a process of its own, part by part: python -m benchmarks.job FILE BEGUN.

Does what workflow/scripts/train.py or measure.py does, in its order, and prints the seconds of each part and the peak
memory in MB as JSON. The file says what to do: see `task`. BEGUN is the time.time() at which the process was started.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.peak import peak


def main(file: str, begun: float) -> None:
    given = json.loads(Path(file).read_text())
    do = {"train": _train, "measure": _measure}[given["kind"]]
    print(json.dumps({**do(given, begun), "peak": peak()}))


def _train(given: dict, begun: float) -> dict[str, float]:
    from adaptive_sharpness import job, pool

    block = given["architecture"]
    import_module(f"adaptive_sharpness.architectures.{block['network']}")  # as it comes to pass later in a job
    device, dataset, made_from, started, read = _read(given)
    trained = pool.train(block, dataset, range(*given["seeds"]), device)
    computed = time.time()
    paths = (given["checkpoint"], f"{given['checkpoint']}.csv", f"{given['checkpoint']}.losses")
    trained.save(*paths, made_from=made_from, provenance=job.provenance(device))
    return _parts(begun, started, read, computed)


def _measure(given: dict, begun: float) -> dict[str, float]:
    from adaptive_sharpness import job, measuring

    block, measure = given["architecture"], given["measure"]
    import_module(f"adaptive_sharpness.architectures.{block['network']}")
    import_module(f"adaptive_sharpness.measures.{measure['estimator']}")
    device, dataset, made_from, started, read = _read(given)
    found = measuring.sharpness(block, measure, given["rho"], given["checkpoint"], made_from, dataset, device)
    computed = time.time()
    found.assign(**job.provenance(device)).to_parquet(f"{given['checkpoint']}.parquet", index=False)
    return _parts(begun, started, read, computed)


def _read(given: dict) -> tuple:
    """Device, data set and what determines a checkpoint; when the job began to read, and when it had read."""
    from adaptive_sharpness import job
    from adaptive_sharpness.dataset import Dataset

    job.start(given["log"], 1)
    device = job.device(0)
    started = time.time()
    dataset = Dataset.read(given["dataset"])
    return device, dataset, job.made_from(given["architecture"], given["dataset"]), started, time.time()


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
