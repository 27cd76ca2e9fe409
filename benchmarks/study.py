"""The study's way: its jobs' calls of the package."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from adaptive_sharpness import job, measuring, pool
from adaptive_sharpness.dataset import Dataset
from benchmarks.work import Work

CPU = torch.device("cpu")


def train(work: Work, seeds: Sequence[int], checkpoint: str) -> list[dict]:
    """Train as a job does.

    Args:
        work: what to do.
        seeds: which models.
        checkpoint: the file to write; two more lie beside it.

    Returns:
        What the job writes about each model.
    """
    trained = pool.train(work.architecture, Dataset.read(work.dataset), seeds, CPU)
    made_from, others = job.made_from(work.architecture, work.dataset), (f"{checkpoint}.csv", f"{checkpoint}.losses")
    trained.save(checkpoint, *others, made_from=made_from, provenance=job.provenance(CPU))
    return trained.table


def measure(work: Work, checkpoint: str) -> pd.DataFrame:
    """Measure as a job does.

    Args:
        work: what to do.
        checkpoint: what `train` wrote.

    Returns:
        What the job writes about each model and batch.
    """
    made_from = job.made_from(work.architecture, work.dataset)
    dataset = Dataset.read(work.dataset)
    return measuring.sharpness(work.architecture, work.measure, work.rho, checkpoint, made_from, dataset, CPU)


def both(work: Work, seeds: Sequence[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
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
