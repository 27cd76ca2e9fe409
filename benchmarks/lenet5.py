"""LeNet-5 on the first images of FashionMNIST: 7 epochs a model, as most models of the study have, and 10 batches."""

from benchmarks import versus
from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.work import work


def rows(bench: Bench) -> list[Row]:
    """The text's protocol, training and measuring each on its own, and the released notebook's.

    Args:
        bench: the run.

    Returns:
        Three rows.
    """
    images = bench.size(960, 128)  # and a sixth of it for testing, as in the whole data set
    data, epochs = bench.dataset("fashion_mnist", train=images, test=images // 6), bench.size(7, 1)
    text = work("lenet5", "report", data, epochs=epochs, ascent={"batches": bench.size(10, 1)})
    released = work("lenet5", "released", data, epochs=epochs, ascent={"epochs": bench.size(5, 1)})
    same = {"topic": "lenet5", "models": (1, 2)}
    return [
        versus.row(bench, words="training, text's protocol", work=text, part="train", least=4, tolerance=0.02, **same),
        versus.row(bench, words="sharpness at one rho", work=text, part="measure", least=3, tolerance=1e-4, **same),
        versus.row(
            bench, words="released notebook's work", work=released, protocol="released", least=4, tolerance=0.02, **same
        ),
    ]
