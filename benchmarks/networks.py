"""What a measure costs on networks of ten million weights and more, in plain forward and backward passes.

Of two checkouts, side by side: python -m benchmarks.networks BEFORE [AFTER] [--pairs 3] [--smoke] [--device cuda].
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.places import ROOT

NETWORKS = {"resnet18": "ResNet-18", "vit": "ViT of 11 M weights", "mlp": "MLP of 27 M weights"}
NORMS, SCALES = ("linf", "l2"), ("adaptive", "none")
MEMORY = ("vit", "mlp")
MEASURES = ("worst_case linf", "worst_case l2", "average_case", "hessian")
PLAIN = "forward and backward"
# glibc gives back at once what is freed, so that the peak is of what is in use.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True)
class Where:
    """How and where to measure.

    Args:
        device: cpu or cuda.
        pairs: how often two things are measured in turn.
        smoke: whether to do next to nothing.
        library: the checkout that the library comes from.
    """

    device: str
    pairs: int
    smoke: bool
    library: Path = ROOT

    def part(self, part: str, *, memory: bool = False, **options: object):
        """One part in a process of its own, on one thread: see `network_part`.

        Args:
            part: a function of that module.
            memory: whether memory is measured.
            options: its arguments.

        Returns:
            What it returns.

        Raises:
            RuntimeError: if it fails.
        """
        given = {"part": part, "options": options, "library": str(self.library)}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        environment |= GIVE_BACK if memory else {}
        line = [sys.executable, "-m", "benchmarks.network_part", json.dumps(given)]
        done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)}: got exit code {done.returncode}, wanted 0: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def common(self) -> dict[str, object]:
        """Arguments of every part."""
        return {"device": self.device, "smoke": self.smoke}


def rows(bench: Bench) -> list[Row]:
    """All that is measured, on the CPU.

    Args:
        bench: the run.

    Returns:
        Rows.
    """
    return list(all_rows(Where("cpu", bench.pairs, bench.smoke)))


def all_rows(where: Where) -> Iterator[Row]:
    """All that is measured: steps of ascent, memory, and the largest eigenvalue of a Hessian.

    Args:
        where: how and where to measure.

    Yields:
        Rows.
    """
    yield from steps(where)
    yield from memory(where)
    yield from curvature(where, exact(where))


def steps(where: Where) -> Iterator[Row]:
    """A step of ascent against a plain forward and backward.

    Args:
        where: how and where to measure.

    Yields:
        A row a network and norm.
    """
    for network, words in NETWORKS.items():
        for norm in NORMS:
            pairs = where.part("step", network=network, norm=norm, pairs=where.pairs, **where.common)
            yield Row("networks", f"{words}: a step of worst_case, {norm}", "a step", PLAIN, "s", pairs)


def memory(where: Where) -> Iterator[Row]:
    """Peak memory beyond that of a plain forward and backward, in multiples of the parameters.

    Args:
        where: how and where to measure.

    Yields:
        A row a network and measure, measured once: memory hardly varies.
    """
    for network in MEMORY:
        plain = where.part("memory", memory=True, network=network, what="gradient", **where.common)
        for what in MEASURES:
            found = where.part("memory", memory=True, network=network, what=what, **where.common)
            work = f"{NETWORKS[network]}: memory of {what}"
            if found["refused"]:
                print(f"{work}: {found['refused']}", flush=True)
                continue
            pair = (found["peak"] - plain["peak"], found["parameters"])
            yield Row("networks", work, f"peak beyond {PLAIN}", "the parameters", "MB", [pair])


def exact(where: Where) -> dict[str, float]:
    """The eigenvalues in float64, by the scale.

    Args:
        where: how and where to compute.

    Returns:
        The eigenvalues.
    """
    return {scale: where.part("exact", scale=scale, **where.common) for scale in SCALES}


def curvature(where: Where, wanted: dict[str, float]) -> Iterator[Row]:
    """The largest eigenvalue of ResNet-18's Hessian on one batch, with one vector for the trace.

    Args:
        where: how and where to measure.
        wanted: what `exact` returns.

    Yields:
        For each scale its time, calls of the loss and of backward, and its relative error.
    """
    for scale, value in wanted.items():
        found = where.part("curvature", scale=scale, pairs=where.pairs, **where.common)
        work = f"ResNet-18: hessian, scale {scale}"
        error = [(abs(found["eigenvalue"] - value), abs(value))]
        yield Row("networks", f"{work}: time", "lambda_max", PLAIN, "s", found["pairs"])
        yield Row("networks", f"{work}: losses computed", "losses", "1", "calls", [(found["losses"], 1)])
        yield Row(
            "networks", f"{work}: backward passes", "torch.autograd.grad", "1", "calls", [(found["backwards"], 1)]
        )
        yield Row("networks", f"{work}: relative error", "float32's error", "float64's", "lambda_max", error)


def side_by_side(before: Sequence[Row], after: Sequence[Row]) -> str:
    """The median ratios of two checkouts as text.

    Args:
        before: the rows of one.
        after: the rows of the other.

    Returns:
        Lines, the first one of headings; a dash where one of them has no such row.
    """
    one, other = ({row.work: row.values()["median"] for row in each} for each in (before, after))
    works = list(dict.fromkeys([*one, *other]))
    width = max(map(len, works))
    lines = [f"{'work':{width}}  {'before':>10}  {'after':>10}  {'after/before':>12}"]
    for work in works:
        both = work in one and work in other and one[work]
        cells = [f"{each[work]:.3g}" if work in each else "–" for each in (one, other)]
        quotient = f"{other[work] / one[work]:.3g}" if both else "–"
        lines.append(f"{work:{width}}  {cells[0]:>10}  {cells[1]:>10}  {quotient:>12}")
    return "\n".join(lines)


def in_rounds(before: Where, after: Where, rounds: int) -> tuple[list[Row], list[Row]]:
    """Measure two checkouts in turn; which one begins alternates.

    Args:
        before: one.
        after: the other.
        rounds: how often.

    Returns:
        The rows of each, with the pairs of all rounds.
    """
    wanted = exact(after)
    both = [(before, []), (after, [])]  # a checkout may stand against itself, to see what chance does
    for turn in range(rounds):
        for where, found in both if turn % 2 == 0 else reversed(both):
            found += [*steps(where), *curvature(where, wanted)]
    for where, found in both:
        found += memory(where)
    return _merged(both[0][1]), _merged(both[1][1])


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Rows of the same work made one."""
    found: dict[str, Row] = {}
    for row in rows:
        seen = found.get(row.work)
        found[row.work] = Row(**{**vars(row), "pairs": [*(seen.pairs if seen else ()), *row.pairs]})
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout")
    parser.add_argument("after", type=Path, nargs="?", default=ROOT, help="another (this one)")
    parser.add_argument("--pairs", type=int, default=3, help="how often each two things are measured in turn (3)")
    parser.add_argument("--rounds", type=int, default=2, help="how often the checkouts take turns (2)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--smoke", action="store_true", help="do next to nothing, once: see that all still runs")
    given = parser.parse_args()
    pairs, rounds = (1, 1) if given.smoke else (given.pairs, given.rounds)
    both = [Where(given.device, pairs, given.smoke, each.resolve()) for each in (given.before, given.after)]
    print(side_by_side(*in_rounds(*both, rounds)))


if __name__ == "__main__":
    main()
