"""GAT on Cora: a fifth of the study's work, 2 epochs a model and 10 batches, or 2 epochs and one of the 5 trials."""

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
    data, epochs = bench.dataset("cora"), bench.size(2, 1)
    text = work("gat", "report", data, epochs=epochs, ascent={"batches": bench.size(10, 1)})
    released = work("gat", "released", data, epochs=epochs, ascent={"trials": 1})
    return [
        versus.row(
            bench, "gat", "text's protocol: train, measure at one rho", text, models=(2, 5), least=4, tolerance=1e-3
        ),
        versus.row(
            bench,
            "gat",
            "released notebook's work",
            released,
            protocol="released",
            models=(2, 5),
            least=3,
            tolerance=1e-3,
        ),
    ]
