"""Work that the notebooks' way and the study's way both do: to train some models and to measure them at one radius."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from adaptive_sharpness.study.config.measures import Measurement, MeasureSettings
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.reading import plain_config
from adaptive_sharpness.study.config.yaml_file import read_yaml
from benchmarks.places import ROOT

CONFIGS = {"report": "config/config.yaml", "released": "studies/hammoud2023/ladder.yaml"}
MEASURES = {"report": "report_pga", "released": "released"}
RHO = {"fcnn": 0.025, "lenet5": 0.0001, "gat": 0.02}


@dataclass(frozen=True)
class Work:
    """Some training and some measuring of one pool.

    Args:
        pool: what determines its models, with a fixed number of epochs, so that every seed is the same work.
        way: how the measure is taken.
        rho: the radius.
        dataset: the prepared data set's file.
    """

    pool: Mapping
    way: Mapping
    rho: float
    dataset: str

    @cached_property
    def settings(self) -> PoolSettings:
        """The pool's settings."""
        return PoolSettings.model_validate(self.pool)

    @cached_property
    def measurement(self) -> Measurement:
        """The measure's settings."""
        return Measurement.model_validate(self.way)


def work(pool: str, protocol: str, dataset: Path, *, epochs: int, ascent: Mapping[str, int]) -> Work:
    """The work of a protocol of the study, or a part of it.

    Args:
        pool: fcnn, lenet5 or gat.
        protocol: "report", the text's, or "released", the notebooks'.
        dataset: the prepared data set's file.
        epochs: of training.
        ascent: batches of the measure or, by their names, options of it that say how much it does.

    Returns:
        The work.
    """
    config, measure = plain_config(read_yaml(ROOT / CONFIGS[protocol])), MEASURES[protocol]
    block = config["protocols"][protocol][pool]
    stop = {"min_epochs": epochs, "max_epochs": epochs}
    settings = PoolSettings.model_validate({**block, "training": {**block["training"], "stop": stop}})
    way = MeasureSettings.model_validate(config["measures"][measure]).on_pool(measure, pool)
    options = {key: value for key, value in ascent.items() if key != "batches"}
    way |= {"batches": ascent.get("batches", way["batches"]), "options": {**way["options"], **options}}
    way |= {"hops": settings.hops} if settings.hops else {}
    return Work(settings.for_training(pool), way, RHO[pool], str(dataset))
