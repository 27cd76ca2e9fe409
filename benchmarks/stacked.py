"""How much faster problems are solved when they are stacked: python benchmarks/stacked.py.

Prints, for each network of the study on made-up data, the time of worst_case with one problem at a time by that with
several, taken in turn in one run on one thread. Above 1, stacking is faster; the study stacks where it is.
"""

import time

import torch
from torch.nn import functional

from adaptive_sharpness import worst_case
from adaptive_sharpness.architectures import build

CASES = {"fcnn": (4, 50, 50), "lenet5": (2, 2, 4), "gat": (2, 2, 4)}  # models, batches, stacked
ROUNDS = 5


def data(network: str, batches: int):
    """A loss and batches of 64 examples."""
    draw = torch.Generator().manual_seed(0)
    if network == "fcnn":
        inputs, values = torch.randn(batches, 64, 10, generator=draw), torch.randn(batches, 64, 1, generator=draw)
        return functional.mse_loss, list(zip(inputs, values, strict=True))
    if network == "lenet5":
        images, classes = torch.randn(batches, 64, 1, 28, 28, generator=draw), torch.arange(64) % 10
        return functional.cross_entropy, [(each, classes) for each in images]
    x, edges = (torch.rand(1664, 1433, generator=draw) < 0.013).float(), torch.randint(1664, (2, 8000), generator=draw)

    def loss(model, nodes):
        return functional.cross_entropy(model(x, edges)[nodes], nodes % 7)

    return loss, torch.randint(1664, (batches, 64), generator=draw)


def main() -> None:
    torch.set_num_threads(1)
    for network, (models, batches, stacked) in CASES.items():
        torch.manual_seed(0)
        pool = [build(network, {}).eval() for _ in range(models)]
        loss, drawn = data(network, batches)
        seconds = {count: [] for count in (1, stacked)}
        for _ in range(ROUNDS):
            for count, times in seconds.items():
                begun = time.perf_counter()
                worst_case(pool, loss, drawn, rho=0.02, stacked=count)
                times.append(time.perf_counter() - begun)
        ratios = sorted(one / many for one, many in zip(*seconds.values(), strict=True))
        print(
            f"{network}: {models} models x {batches} batches, {stacked} stacked: {ratios[len(ratios) // 2]:.1f} times"
        )


main()
