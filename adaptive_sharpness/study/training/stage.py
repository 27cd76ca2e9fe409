"""The job that trains a shard."""

from collections.abc import Mapping

from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.running.job import Here, made_from
from adaptive_sharpness.study.training.shard import train_shard


def train(here: Here, pool: Mapping, dataset: str, labels: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Train the models of one shard and write them.

    Args:
        here: where the job runs.
        pool: what `PoolSettings.for_training` returns.
        dataset: the prepared data set's file.
        labels: protocol, pool, setting, with a / before it or empty, and seeds, such as 000-024.
        outputs: the files checkpoint, initial, table and test_losses.
    """
    first, last = map(int, labels["seeds"].split("-"))
    settings = PoolSettings.model_validate(pool)
    trained = train_shard(settings, Dataset.read(dataset), range(first, last + 1), here.device, here.folder)
    of_pool = {"protocol": labels["protocol"], "pool": labels["pool"], "setting": labels["setting"].lstrip("/")}
    trained.save(**outputs, made_from=made_from(pool, dataset), labels=of_pool, provenance=here.provenance())
