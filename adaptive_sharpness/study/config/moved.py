"""Keys of the layout before version 0.2, and where each stands now."""

from collections.abc import Iterator, Mapping
from typing import Any

OPTIMISER, STOP = "training.optimiser.{key}", "training.stop.{key}"
TRAINING = {  # of a pool's block training
    "rate": "training.optimiser.lr",
    **dict.fromkeys(("momentum", "weight_decay"), OPTIMISER),
    **dict.fromkeys(("tolerance", "min_epochs", "max_epochs"), STOP),
    **dict.fromkeys(("full_batch", "one_sided_stop", "summed_loss", "eval_after_first"), "training.trainer.{key}"),
}


def moved_keys(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line about each key of the old layout.

    Args:
        config: as it was read.

    Yields:
        KEY: got a key of the old layout, wanted ...

    Example:
        >>> list(moved_keys({"rho": [0.1]}))
        ['rho: got a key of the old layout, wanted measures.MEASURE.on.POOL.rho']
        >>> list(moved_keys({"measures": {"hessian": {"adaptive": False}}}))
        ['measures.hessian.adaptive: got a key of the old layout, wanted measures.hessian.scale, such as none']
    """
    if "rho" in config:
        yield _line("rho", "measures.MEASURE.on.POOL.rho")
    if "pools" in config:
        yield _line("pools", "replicates")
    for protocol, pools in _items(config.get("protocols")):
        for pool, block in _items(pools):
            yield from _of_pool(f"protocols.{protocol}.{pool}", block)
    for measure, block in _items(config.get("measures")):
        yield from _of_measure(f"measures.{measure}", block)


def _of_pool(where: str, block: Any) -> Iterator[str]:
    known = dict(_items(block))
    if "network" in known:
        yield _line(f"{where}.network", f"{where}.architecture")
    if "trainer" in known:
        yield _line(f"{where}.trainer", f"{where}.training.trainer.name")
    for key, _ in _items(known.get("training")):
        if key in TRAINING:
            yield _line(f"{where}.training.{key}", f"{where}.{TRAINING[key].format(key=key)}")


def _of_measure(where: str, block: Any) -> Iterator[str]:
    known = dict(_items(block))
    if "adaptive" in known:
        yield _line(f"{where}.adaptive", f"{where}.scale, such as none")
    if "options" in known:
        yield _line(f"{where}.options", f"its keys in {where}, or in {where}.on.POOL")
    for key in ("estimator", "batches", "stacked"):
        if isinstance(known.get(key), Mapping):
            yield _line(f"{where}.{key}", f"{where}.on.POOL.{key}", got="a mapping of the old layout")


def _line(key: str, now: str, got: str = "a key of the old layout") -> str:
    return f"{key}: got {got}, wanted {now}"


def _items(block: Any) -> list[tuple[str, Any]]:
    return list(block.items()) if isinstance(block, Mapping) else []
