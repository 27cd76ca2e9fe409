"""The job that measures a shard, one measure at one radius."""

import math
from collections.abc import Mapping

from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.measures import Measurement
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.measuring.shard import measure_shard
from adaptive_sharpness.study.running.job import Here, made_from


def measure(
    here: Here,
    pool: Mapping,
    way: Mapping,
    labels: Mapping[str, str],
    inputs: Mapping[str, str],
    output: str,
) -> None:
    """Measure the models of one shard and write a row for every model, batch and quantity.

    Args:
        here: where the job runs.
        pool: what `PoolSettings.for_training` returns.
        way: how the measure is taken, as `Measurement`.
        labels: protocol, pool, setting, with a / before it or empty, measure and rho, "none" where there is no ball.
        inputs: the files dataset and checkpoint, and where the measure asks for them initial and test_losses.
        output: a parquet file.
    """
    rho = None if labels["rho"] == "none" else float(labels["rho"])
    files = dict(inputs)
    dataset = files.pop("dataset")
    table = measure_shard(
        PoolSettings.model_validate(pool),
        Measurement.model_validate(way),
        rho,
        **files,
        made_from=made_from(pool, dataset),
        dataset=Dataset.read(dataset),
        device=here.device,
        folder=here.folder,
    )
    names = {key: labels[key].lstrip("/") for key in ("protocol", "pool", "setting", "measure")}
    for position, (name, value) in enumerate({**names, "rho": math.nan if rho is None else rho}.items()):
        table.insert(position, name, value)
    table.assign(**here.provenance()).to_parquet(output, index=False)
