"""FCNN on Abalone, all of it: 4 epochs a model, as most models of the study have, and 50 batches."""

from benchmarks import versus
from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.work import Work, work


def rows(bench: Bench) -> list[Row]:
    """Both protocols, training and measuring.

    Args:
        bench: the run.

    Returns:
        Two rows.
    """
    text, released = works(bench).values()
    words = "text's protocol: train, measure at one rho"
    more = {"protocol": "released", "models": (2, 4), "least": 8, "tolerance": 1e-3}
    return [
        versus.row(bench, "fcnn", words, text, models=(2, 25), least=10, tolerance=1e-4),
        versus.row(bench, "fcnn", "released notebook's work", released, **more),
    ]


def works(bench: Bench) -> dict[str, Work]:
    """What is done, by protocol: "report" is the text's.

    Args:
        bench: the run.

    Returns:
        All epochs and batches of the text; a sixth of the notebook's 12 epochs and of its 318 steps of ascent.
    """
    text, released = (bench.dataset(name, **bench.few) for name in ("abalone", "abalone_released"))
    return {
        "report": work("fcnn", "report", text, epochs=bench.size(4, 1), ascent={"batches": bench.size(50, 2)}),
        "released": work("fcnn", "released", released, epochs=bench.size(2, 1), ascent={"epochs": 1}),
    }
