"""FCNN on Abalone, all of it: 4 epochs a model, as most models of the study have, and 50 batches."""

from benchmarks import versus
from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.work import work


def rows(bench: Bench) -> list[Row]:
    """Both protocols, training and measuring.

    Args:
        bench: the run.

    Returns:
        Two rows.
    """
    text = work(
        "fcnn",
        "report",
        bench.dataset("abalone", **bench.few),
        epochs=bench.size(4, 1),
        ascent={"batches": bench.size(50, 2)},
    )
    released_data = bench.dataset("abalone_released", **bench.few)
    # A third of the notebook's 12 epochs and of its 318 steps.
    released = work("fcnn", "released", released_data, epochs=bench.size(4, 1), ascent={"epochs": bench.size(2, 1)})
    return [
        versus.row(
            bench, "fcnn", "text's protocol: train, measure at one rho", text, models=(2, 10), least=10, tolerance=1e-4
        ),
        versus.row(
            bench,
            "fcnn",
            "released notebook's work",
            released,
            protocol="released",
            models=(2, 4),
            least=8,
            tolerance=1e-3,
        ),
    ]
