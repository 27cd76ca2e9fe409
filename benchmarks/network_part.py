"""One part of what `networks` measures, in a process of its own: python -m benchmarks.network_part JSON.

The JSON says which function of this module, with which arguments, and which checkout the library is to come from. What
the function returns is printed as JSON, on the last line.
"""

import inspect
import json
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.bench import seconds
from benchmarks.made_networks import Made, made
from benchmarks.pairs import in_turn

FEW, MANY = 4, 12  # steps of two ascents, whose difference has no set-up in it
RHO = {"linf": 0.003, "l2": 0.3}
SETTLE = 20  # steps of training before a Hessian is taken
MEASURES = {
    "worst_case linf": ("worst_case", {"norm": "linf", "rho": RHO["linf"], "steps": 10}),
    "worst_case l2": ("worst_case", {"norm": "l2", "rho": RHO["l2"], "steps": 10}),
    "average_case": ("average_case", {"rho": RHO["linf"], "samples": 4}),
    "hessian": ("hessian", {"vectors": 1}),
}


def measure(name: str, of: Made, *, scale: str = "adaptive", **options):
    """Call a measure of the library, before or after `adaptive` became `scale`.

    Args:
        name: of the measure.
        of: the network, its loss and batch.
        scale: "adaptive" or "none".
        options: others.

    Returns:
        What the measure returns.
    """
    import adaptive_sharpness

    function = getattr(adaptive_sharpness, name)
    new = "scale" in inspect.signature(function).parameters
    options |= {"scale": scale} if new else {"adaptive": scale == "adaptive"}
    found = function(of.network, of.loss, [of.batch], **options)
    _wait(of)
    return found


def step(network: str, norm: str, device: str, pairs: int, smoke: bool) -> list[tuple[float, float]]:
    """A step of Auto-PGD and a plain forward and backward, in turn.

    Args:
        network: one of made_networks.NETWORKS.
        norm: "linf" or "l2".
        device: cpu or cuda.
        pairs: how often.
        smoke: whether a small network will do.

    Returns:
        Seconds of both, of every turn.
    """
    of = made(network, device, smoke=smoke)

    def ascent(steps: int) -> float:
        return seconds(lambda: measure("worst_case", of, norm=norm, rho=RHO[norm], steps=steps))

    def one_step() -> float:
        few = ascent(FEW)
        return (ascent(MANY) - few) / (MANY - FEW)

    return in_turn(one_step, lambda: _gradient(of, 1 if smoke else 4), pairs)


def curvature(scale: str, device: str, pairs: int, smoke: bool) -> dict:
    """The largest eigenvalue of ResNet-18's Hessian and a plain forward and backward, in turn.

    Args:
        scale: "adaptive" or "none".
        device: cpu or cuda.
        pairs: how often.
        smoke: whether a small network will do.

    Returns:
        Seconds of both, of every turn; the eigenvalue; how often the loss was computed, and backward called.
    """
    of = settled(device, smoke)
    with _counted(of) as (counting, calls):
        found = measure("hessian", counting, scale=scale, vectors=1)

    def whole() -> float:
        return seconds(lambda: measure("hessian", of, scale=scale, vectors=1))

    _gradient(of, 1)
    times = in_turn(whole, lambda: _gradient(of, 1 if smoke else 4), pairs, warm=False)  # counting has warmed it
    return {"pairs": times, "eigenvalue": found.per_batch.item(), **calls}


def exact(scale: str, device: str, smoke: bool) -> float:
    """The same eigenvalue in float64.

    Args:
        scale: "adaptive" or "none".
        device: cpu or cuda.
        smoke: whether a small network will do.

    Returns:
        The eigenvalue.
    """
    from benchmarks.exact_curvature import largest

    return largest(settled(device, smoke), scale)


def memory(network: str, what: str, device: str, smoke: bool) -> dict[str, float | str]:
    """The most memory that is taken beyond the network and its batch.

    Args:
        network: one of made_networks.NETWORKS.
        what: one of MEASURES, or "gradient" for a plain forward and backward.
        device: cpu or cuda.
        smoke: whether a small network will do.

    Returns:
        MB of the peak and of the parameters; "refused", the error's line, if torch has no such derivative.
    """
    small = made(network, device, smoke=True)  # loads the code that is loaded when first called
    small.gradient()
    _take(small, what)
    of = made(network, device, smoke=smoke)
    before = _reset(device)
    refused = _take(of, what)
    return {"peak": _peak(device) - before, "parameters": of.megabytes, "refused": refused}


def settled(device: str, smoke: bool) -> Made:
    """ResNet-18, trained a little on the CPU, so that all processes on one machine have the same.

    Args:
        device: cpu or cuda.
        smoke: whether a small network will do.

    Returns:
        The network.
    """
    of = made("resnet18", "cpu", smoke=smoke)
    of.settle(2 if smoke else SETTLE)
    return Made(of.network.to(device), tuple(each.to(device) for each in of.batch))


def _take(of: Made, what: str) -> str:
    """Do it, and return the error's line if torch has no such derivative."""
    if what == "gradient":
        of.gradient()
        _wait(of)
        return ""
    name, options = MEASURES[what]
    try:
        measure(name, of, **options)
    except NotImplementedError as error:
        return str(error).splitlines()[0]
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return str(error).splitlines()[0]
    return ""


def _gradient(of: Made, times: int) -> float:
    def plain() -> None:
        for _ in range(times):
            of.gradient()
        _wait(of)

    return seconds(plain) / times


def _wait(of: Made) -> None:
    if of.batch[0].is_cuda:
        torch.cuda.synchronize()


@contextmanager
def _counted(of: Made):
    """The same network with a loss that counts its calls; calls of torch.autograd.grad are counted, too."""
    calls = {"losses": 0, "backwards": 0}
    grad = torch.autograd.grad

    def counting(name: str, function: Callable) -> Callable:
        def counted(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        return counted

    torch.autograd.grad = counting("backwards", grad)
    try:
        yield Made(of.network, of.batch, counting("losses", of.loss)), calls
    finally:
        torch.autograd.grad = grad


def _reset(device: str) -> float:
    """Forget the peak so far, and say how much is taken now, in MB."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 1e6
    Path("/proc/self/clear_refs").write_text("5")
    return _peak(device)


def _peak(device: str) -> float:
    from benchmarks.peak import peak

    return torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else peak()


def _of_library(checkout: str) -> None:
    """Import the library from a checkout, whatever is installed."""
    sys.path.insert(0, checkout)
    import adaptive_sharpness

    if not Path(adaptive_sharpness.__file__).is_relative_to(Path(checkout).resolve()):
        raise ImportError(f"library: got {adaptive_sharpness.__file__}, wanted that of {checkout}")


def main(given: str) -> None:
    asked = json.loads(given)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _of_library(asked["library"])
    part = {"step": step, "curvature": curvature, "exact": exact, "memory": memory}[asked["part"]]
    print(json.dumps(part(**asked["options"])))


if __name__ == "__main__":
    main(sys.argv[1])
