"""The study's way: its jobs' calls of the package."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.measuring.shard import measure_shard
from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.training.shard import train_shard
from benchmarks.places import PLUGINS, files
from benchmarks.work import Work

CPU = torch.device("cpu")
HERE = job.Here(0, PLUGINS)


def train(work: Work, seeds: Sequence[int], checkpoint: str) -> list[dict]:
    """Train as a job does.

    Args:
        work: what to do.
        seeds: which models.
        checkpoint: the file to write; three more lie beside it.

    Returns:
        What the job writes about each model.
    """
    trained = train_shard(work.settings, Dataset.read(work.dataset), seeds, CPU, PLUGINS)
    made_from = job.made_from(work.pool, work.dataset)
    trained.save(**files(checkpoint), made_from=made_from, labels={}, provenance=HERE.provenance())
    return trained.table


def measure(work: Work, checkpoint: str) -> pd.DataFrame:
    """Measure as a job does.

    Args:
        work: what to do.
        checkpoint: what `train` wrote.

    Returns:
        What the job writes about each model, batch and quantity.
    """
    made_from, dataset = job.made_from(work.pool, work.dataset), Dataset.read(work.dataset)
    given = {"checkpoint": checkpoint, "made_from": made_from, "dataset": dataset, "device": CPU, "folder": PLUGINS}
    return measure_shard(work.settings, work.measurement, work.rho, **given)


def both(work: Work, seeds: Sequence[int]) -> tuple[list[dict], pd.DataFrame]:
    """Train and measure.

    Args:
        work: what to do.
        seeds: which models.

    Returns:
        What both jobs write.
    """
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = str(Path(folder) / "checkpoint.safetensors")
        return train(work, seeds, checkpoint), measure(work, checkpoint)
