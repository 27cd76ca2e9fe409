"""Where the time goes, in both ways: profile.csv, from torch's profiler.

A profile is of one run and no ratio: the profiler itself takes about a microsecond an operation, which lengthens what
small networks do between operations. Shares are of the time so lengthened.
"""

from collections import Counter
from collections.abc import Callable
from time import perf_counter

from benchmarks import fcnn, gat, lenet5, versus
from benchmarks.bench import Bench
from benchmarks.pairs import Row, write
from benchmarks.work import Work

# The first that has a word which stands in an operation's name.
GROUPS = {
    "convolutions": ("conv",),
    "matrix products": ("mm", "sparse"),
    "batch norm": ("batch_norm",),
    "activations": ("elu", "relu", "threshold", "clamp_min", "leaky"),
    "pooling": ("pool",),
    "dropout": ("bernoulli", "dropout"),
}
LOADING = "DataLoader"  # what torch calls the time in which a DataLoader makes a batch
OTHERS, BETWEEN = "other operations", "between operations"


def rows(bench: Bench) -> list[Row]:
    """Profile training and measuring of each network in both ways, and write profile.csv.

    Args:
        bench: the run.

    Returns:
        No row: a profile is no ratio.
    """
    lines = []
    for network, works in (("fcnn", fcnn.works), ("lenet5", lenet5.works), ("gat", gat.works)):
        for protocol, work in works(bench).items():
            checkpoint = str(bench.folder / f"profile-{network}-{protocol}.safetensors")
            for part in ("train", "measure"):
                lines += _lines(bench, {"network": network, "protocol": protocol, "part": part}, work, checkpoint)
    write(bench.output / "profile.csv", lines)
    return []


def _lines(bench: Bench, labels: dict[str, str], work: Work, checkpoint: str) -> list[dict]:
    """One model, by the study and then by the plain loop."""
    part, protocol = labels["part"], labels["protocol"]
    study = (bench.study[0], versus.studys_way, part, work, range(1), checkpoint)
    plain = (bench.plain, versus.notebooks_way, part, protocol, work, range(1), checkpoint)
    found = []
    for way, (executor, *call) in {"study": study, "notebooks' way": plain}.items():
        spent = executor.submit(profiled, *call).result()
        total = sum(spent.values())
        found += [
            {**labels, "way": way, "group": group, "ms": 1000 * each, "share": each / total}
            for group, each in spent.items()
        ]
    return found


def profiled(function: Callable, *arguments: object) -> dict[str, float]:
    """The seconds of a second call by kinds of operations; runs in a process of its own.

    The first one imports what it needs.

    Args:
        function: what to call.
        arguments: its arguments.

    Returns:
        Seconds by group, those of one name in one sum; what is left is Python's, between operations.
    """
    from torch.profiler import ProfilerActivity, profile

    function(*arguments)
    begun = perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        function(*arguments)
        wall = perf_counter() - begun
    spent = Counter(dict.fromkeys([*GROUPS, OTHERS, "loading"], 0.0))
    for event in found.events():
        spent[group(event)] += event.self_cpu_time_total / 1e6
    return {**spent, BETWEEN: max(wall - spent.total(), 0.0)}


def group(event) -> str:
    """The kind of an operation of torch.profiler: "loading", if a DataLoader calls it."""
    above = event
    while above is not None:
        if LOADING in above.name:
            return "loading"
        above = above.cpu_parent
    return next((name for name, words in GROUPS.items() if any(word in event.name for word in words)), OTHERS)
