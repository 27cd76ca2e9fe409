"""How near to the machine's limit: operations a second in jobs, against those of a matrix product on the same core.

Matrix products and convolutions are counted, forward and backward, see `operations`. All else that
a job does, such as batch norm, or the messages of a GAT, takes time and counts as nothing.
"""

import time
from collections.abc import Callable

import torch

from benchmarks import operations, study
from benchmarks.bench import Bench
from benchmarks.pairs import Row, in_turn
from benchmarks.work import work

SIDE = 2048


def rows(bench: Bench) -> list[Row]:
    """Training and measuring of each network, by the text's protocol.

    Args:
        bench: the run.

    Returns:
        Six rows.
    """
    images = bench.size(640, 128)
    data = {
        "fcnn": bench.dataset("abalone", **bench.few),
        "lenet5": bench.dataset("fashion_mnist", train=images, test=images // 6),
        "gat": bench.dataset("cora"),
    }
    batches, models = {"fcnn": 50, "lenet5": 10, "gat": 10}, {"fcnn": 10, "lenet5": 1, "gat": 2}
    found = []
    for network, dataset in data.items():
        how = {"epochs": bench.size(2, 1), "ascent": {"batches": bench.size(batches[network], 2)}}
        each, seeds = work(network, "report", dataset, **how), range(bench.size(models[network], 1))
        checkpoint = str(bench.folder / f"limit-{network}.safetensors")
        training, measuring = (study.train, each, seeds, checkpoint), (study.measure, each, checkpoint)
        aim = 0.45 if network == "lenet5" else None
        found += [
            row(bench, f"{network}: training", training, aim),
            row(bench, f"{network}: sharpness", measuring, None),
        ]
    return found


def row(bench: Bench, words: str, call: tuple, least: float | None) -> Row:
    """The rate of a call by that of a matrix product, in turn, on one thread.

    Args:
        bench: the run.
        words: what is done.
        call: a function and its arguments.
        least: the share wanted.

    Returns:
        The row.
    """
    done = bench.study[0].submit(counted, *call).result()
    product = (product_of, bench.size(SIDE, 64))
    once = bench.study[0].submit(counted, *product).result()

    def rate(done: int, call: tuple) -> float:
        return done / 1e9 / bench.study[0].submit(timed, *call).result()

    warm = not bench.smoke
    pairs = in_turn(lambda: rate(done, call), lambda: rate(once, product), bench.pairs, warm=warm)
    return Row("limit", words, "job", "matrix product", "GFLOP/s", pairs, least=least)


def counted(function: Callable, *arguments: object) -> int:
    """The floating-point operations of a call."""
    with operations.counter() as counter:
        function(*arguments)
    return counter.get_total_flops()


def timed(function: Callable, *arguments: object) -> float:
    """The seconds of a call."""
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


def product_of(side: int, repeats: int = 3) -> None:
    """Matrix products of this many rows and columns, in float32."""
    one = torch.ones(side, side)
    for _ in range(repeats):
        one @ one
