"""LeNet-5 on the first images of FashionMNIST: 7 epochs a model, as most models of the study have, and 10 batches."""

from benchmarks import versus
from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.work import Work, work


def rows(bench: Bench) -> list[Row]:
    """The text's protocol, training and measuring each on its own, and the released notebook's.

    Args:
        bench: the run.

    Returns:
        Three rows.
    """
    text, released = works(bench).values()
    # Two steps: with batch norm, losses that differ by rounding differ by a hundredth after ten.
    two, two_released = _work(bench, "report", 128, 1), _work(bench, "released", 128, 1)
    same = {"topic": "lenet5", "models": (1, 2)}
    trained = {"least": 4, "tolerance": 0.001, **same}
    return [
        versus.row(bench, words="training, text's protocol", work=text, checked=two, part="train", **trained),
        versus.row(bench, words="sharpness at one rho", work=text, part="measure", least=3, tolerance=1e-4, **same),
        versus.row(
            bench, words="released notebook's work", work=released, checked=two_released, protocol="released", **trained
        ),
    ]


def works(bench: Bench) -> dict[str, Work]:
    """What is done, by protocol: "report" is the text's.

    Args:
        bench: the run.

    Returns:
        By "report" and "released".
    """
    images, epochs = bench.size(640, 128), bench.size(7, 1)
    return {protocol: _work(bench, protocol, images, epochs) for protocol in ("report", "released")}


def _work(bench: Bench, protocol: str, images: int, epochs: int) -> Work:
    data = bench.dataset("fashion_mnist", train=images, test=images // 6)  # a sixth, as in the whole data set
    how = {"batches": bench.size(10, 2)} if protocol == "report" else {"epochs": bench.size(5, 1)}
    return work("lenet5", protocol, data, epochs=epochs, ascent=how)
