"""The job that imports a shard of models that were trained elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Any

from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.model_table import ModelRow
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.importing.shard import import_shard
from adaptive_sharpness.study.running.job import Here, made_from


def import_models(
    here: Here,
    pool: Mapping,
    rows: Iterable[Mapping[str, Any]],
    dataset: str,
    labels: Mapping[str, str],
    outputs: Mapping[str, str],
) -> None:
    """Import the models of one shard and write them as if they had been trained.

    Args:
        here: where the job runs.
        pool: what `PoolSettings.for_training` returns, with the options of these models.
        rows: what `ModelRow.plain` returns, of each model.
        dataset: the prepared data set's file.
        labels: protocol, pool and seeds, such as 000-024.
        outputs: the files checkpoint, table and test_losses.
    """
    models = [ModelRow(line=0, **row) for row in rows]
    found = import_shard(PoolSettings.model_validate(pool), models, Dataset.read(dataset), here.device, here.folder)
    of_pool = {"protocol": labels["protocol"], "pool": labels["pool"], "setting": ""}
    found.save(
        **outputs, initial=None, made_from=made_from(pool, dataset), labels=of_pool, provenance=here.provenance()
    )
