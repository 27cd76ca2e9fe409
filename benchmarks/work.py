"""Work that the notebooks' way and the study's way both do: to train some models and to measure them at one radius."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from adaptive_sharpness import plan

ROOT = Path(__file__).parents[1]
MEASURES = {"report": "report_pga", "released": "released"}
RHO = {"fcnn": 0.025, "lenet5": 0.0001, "gat": 0.02}


@dataclass(frozen=True)
class Work:
    """Some training and some measuring of one architecture.

    Args:
        architecture: its block in config, with a fixed number of epochs, so that every seed is the same work.
        measure: the measure's block in config, for this architecture.
        rho: the radius.
        dataset: the prepared data set's file.
    """

    architecture: Mapping
    measure: Mapping
    rho: float
    dataset: str


def work(network: str, protocol: str, dataset: Path, *, epochs: int, ascent: Mapping[str, int]) -> Work:
    """The work of a protocol of the study, or a part of it.

    Args:
        network: fcnn, lenet5 or gat.
        protocol: "report", the text's, in config/config.yaml; "released", the notebooks', in config/ladder.yaml.
        dataset: the prepared data set's file.
        epochs: of training.
        ascent: batches of the measure or, by their names, options of it that say how much it does.

    Returns:
        The work.
    """
    config = _config("config.yaml" if protocol == "report" else "ladder.yaml")
    block = config["protocols"][protocol][network]
    measure = plan.measure(config, MEASURES[protocol], network)
    batches = {"batches": ascent["batches"]} if "batches" in ascent else {}
    options = {key: value for key, value in ascent.items() if key != "batches"}
    training = {**block["training"], "min_epochs": epochs, "max_epochs": epochs}
    return Work(
        {**{key: value for key, value in block.items() if key != "hops"}, "network": network, "training": training},
        {**measure, **batches, "options": {**measure["options"], **options}, "hops": block.get("hops")},
        RHO[network],
        str(dataset),
    )


def _config(name: str) -> dict:
    return yaml.safe_load((ROOT / "config" / name).read_text())
