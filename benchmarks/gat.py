"""GAT on Cora: a fifth of the study's work, 2 epochs a model and 10 batches, or 2 epochs and one of the 5 trials."""

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
    words, how = "text's protocol: train, measure at one rho", {"models": (2, 5), "tolerance": 1e-3}
    return [
        versus.row(bench, "gat", words, text, least=4, **how),
        versus.row(bench, "gat", "released notebook's work", released, protocol="released", least=3, **how),
    ]


def works(bench: Bench) -> dict[str, Work]:
    """What is done, by protocol: "report" is the text's.

    Args:
        bench: the run.

    Returns:
        By "report" and "released".
    """
    ascents = {"report": {"batches": bench.size(10, 2)}, "released": {"trials": 1}}
    data, epochs = bench.dataset("cora"), bench.size(2, 1)
    return {name: work("gat", name, data, epochs=epochs, ascent=ascent) for name, ascent in ascents.items()}
