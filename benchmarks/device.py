"""Models and batches stacked by the dozen: measured where the device is at hand, and estimated for one that is not.

On a machine with CUDA the table has the time of stacked problems measured there. On any machine the work of one
gradient step is counted, and from it the time on an accelerator estimated: on paper, and nothing more. See `estimated`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from adaptive_sharpness import worst_case
from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.training.networks import build_network
from benchmarks import operations
from benchmarks.bench import Bench, seconds
from benchmarks.pairs import Row, in_turn, write

# NVIDIA H100 SXM: float32 outside tensor cores and memory bandwidth from NVIDIA's data sheet of the H100; the time to
# launch a kernel is a usual figure and no promise of anybody's.
PEAK, BANDWIDTH, LAUNCH = 67e12, 3.35e12, 5e-6
COUNTED = (4, 8)  # problems; with one model or one batch alone other operations run
STACKED = (12, 144, 600)  # estimated for
MEASURED = {
    "cpu": {"fcnn": (100,), "lenet5": (4,), "gat": (4,)},
    "cuda": dict.fromkeys(("fcnn", "lenet5", "gat"), (12, 144, 600)),
}
STEPS = 3
REPORT = 5


def rows(bench: Bench) -> list[Row]:
    """Stacked problems against one at a time on the device at hand, and against an estimate; writes device.csv.

    Args:
        bench: the run.

    Returns:
        For each network a row a number of stacked problems, and one for the estimate.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    job.keep_memory()
    job.touch_constants()
    found, lines = [], []
    for network in ("fcnn",) if bench.smoke else MEASURED[device]:
        for stacked in (2,) if bench.smoke else MEASURED[device][network]:
            problems = Problems(network, stacked, device)
            pairs = _in_turn(bench, problems, stacked)
            words = f"{network}: {stacked} problems at once on {device}"
            found.append(Row("device", words, "one at a time", "stacked", "s a problem and step", pairs))
            if (device, network) == ("cpu", "fcnn"):
                found.append(_calls(bench, problems, stacked))
        counts = counted(network)
        lines += [{"network": network, "stacked": P, **estimated(counts, P)} for P in STACKED]
        guess = [(min(pair), lines[-1]["estimated s"] / STACKED[-1]) for pair in pairs]
        words = f"{network}: ESTIMATE for an H100, {STACKED[-1]} stacked"
        found.append(
            Row("device", words, f"the faster of these on {device}", "estimate", "s a problem and step", guess)
        )
    write(bench.output / "device.csv", lines)
    return found


class Problems:
    """Made-up models and batches of one network: as many problems as there are batches, of two models.

    Args:
        network: fcnn, lenet5 or gat.
        count: of problems, even.
        device: cpu or cuda.
    """

    def __init__(self, network: str, count: int, device: str):
        torch.manual_seed(0)
        self.count, self._pool = count, [build_network(network, {}).eval().to(device) for _ in range(2)]
        self._loss, self._batches = _data(network, count // 2, device)

    def ascend(self, stacked: int, steps: int) -> None:
        """Steps of ascent on all problems.

        Args:
            stacked: how many at once.
            steps: how many.
        """
        how = {"solver": "pga", "steps": steps, "rate": 0.01, "origin": False, "stacked": stacked}
        worst_case(self._pool, self._loss, self._batches, rho=0.02, **how)
        if next(self._pool[0].parameters()).is_cuda:
            torch.cuda.synchronize()

    def ascend_apart(self, steps: int) -> None:
        """The same by a call for each model and batch.

        Args:
            steps: how many.
        """
        how = {"solver": "pga", "steps": steps, "rate": 0.01, "origin": False}
        for model in self._pool:
            for batch in self._batches:
                worst_case(model, self._loss, [batch], rho=0.02, **how)


class Traffic(TorchDispatchMode):
    """Counts operations that are no view, and the bytes that they read and write: launches, and traffic at most."""

    def __init__(self):
        super().__init__()
        self.launches = self.bytes = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        results = function(*arguments, **(keywords or {}))
        if not function.is_view:
            tensors = [each for each in tree_leaves((arguments, keywords, results)) if isinstance(each, torch.Tensor)]
            self.launches += 1
            self.bytes += sum(map(_bytes, tensors))
        return results


def _bytes(tensor: torch.Tensor) -> int:
    if tensor.layout == torch.sparse_csr:
        return sum(part.nbytes for part in (tensor.crow_indices(), tensor.col_indices(), tensor.values()))
    return tensor.untyped_storage().nbytes() if 0 in tensor.stride() else tensor.nbytes


def counted(network: str, problems: Sequence[int] = COUNTED) -> dict[int, dict[str, int]]:
    """The work of one gradient step, as the difference between two ascents that differ by it.

    Args:
        network: fcnn, lenet5 or gat.
        problems: how many at once, each counted for.

    Returns:
        By the number of problems: flops, bytes and launches.
    """
    found = {}
    for count in problems:
        few, many = (_work(Problems(network, count, "cpu"), steps) for steps in (2, 3))
        found[count] = {name: many[name] - value for name, value in few.items()}
    return found


def estimated(counts: dict[int, dict[str, int]], stacked: int) -> dict[str, int | float]:
    """The time of a gradient step on an H100, on paper.

    Operations and bytes grow in proportion to the problems, from what all share; launches do not. The time is the
    larger of that to launch and that to compute and to move all bytes, one after the other: caches would spare some.

    Args:
        counts: what `counted` returns.
        stacked: problems at once.

    Returns:
        flops, bytes, launches, and seconds of the step.
    """
    (low, few), (high, many) = counts.items()
    grown = {name: few[name] + (many[name] - few[name]) * (stacked - low) // (high - low) for name in few}
    time = max(grown["launches"] * LAUNCH, grown["flops"] / PEAK + grown["bytes"] / BANDWIDTH)
    return {**grown, "estimated s": time}


def _in_turn(bench: Bench, problems: Problems, stacked: int) -> list[tuple[float, float]]:
    def time(at_once: int) -> float:
        return seconds(lambda: problems.ascend(at_once, STEPS)) / problems.count / STEPS

    with _one_thread():
        return in_turn(lambda: time(1), lambda: time(stacked), bench.pairs, warm=not bench.smoke)


def _calls(bench: Bench, problems: Problems, stacked: int) -> Row:
    """The report's 5 steps, by a call for each problem and by one call."""

    def time(ascend: Callable[..., None], *arguments: int) -> float:
        return seconds(lambda: ascend(*arguments)) / problems.count / REPORT

    with _one_thread():
        one, other = partial(time, problems.ascend_apart, REPORT), partial(time, problems.ascend, stacked, REPORT)
        pairs = in_turn(one, other, bench.pairs, warm=not bench.smoke)
    words = f"fcnn: {stacked} problems at once on cpu, by one call"
    return Row("device", words, "a call for each", "one call", "s a problem and step", pairs, least=10)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _work(problems: Problems, steps: int) -> dict[str, int]:
    with Traffic() as traffic, operations.counter() as flops:
        problems.ascend(problems.count, steps)
    return {"flops": flops.get_total_flops(), "bytes": traffic.bytes, "launches": traffic.launches}


def _data(network: str, batches: int, device: str):
    """A loss and batches of 64 examples."""
    draw = torch.Generator().manual_seed(0)
    if network == "gat":
        x, edges = (
            (torch.rand(1664, 1433, generator=draw) < 0.013).float(),
            torch.randint(1664, (2, 8000), generator=draw),
        )
        x, edges, nodes = x.to(device), edges.to(device), torch.randint(1664, (batches, 64), generator=draw)
        return lambda model, index: functional.cross_entropy(model(x, edges)[index], index % 7), nodes
    shape = (10,) if network == "fcnn" else (1, 28, 28)
    inputs, values = torch.randn(batches, 64, *shape, generator=draw), torch.randn(batches, 64, 1, generator=draw)
    if network == "fcnn":
        return functional.mse_loss, list(zip(inputs, values, strict=True))
    return functional.cross_entropy, [(each, torch.arange(64) % 10) for each in inputs]
