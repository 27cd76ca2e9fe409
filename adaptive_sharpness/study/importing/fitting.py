"""Hold a model's parameters against the network that they are for."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adaptive_sharpness.plugins import wanted_one_of

PREFIXES = ("module.", "_orig_mod.", "model.")  # what DataParallel, torch.compile and Lightning put before names


def fitted_state(where: str, state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return a model's parameters and buffers as a network takes them.

    Args:
        where: the file, which messages begin with.
        state: by name; all names may have one of PREFIXES.
        network: built with the options of the model.

    Returns:
        The same, without prefixes, of the network's types.

    Raises:
        ValueError: if a name, a shape or a type does not fit, or a number is not finite; one line.

    Example:
        >>> network = nn.Linear(2, 1, bias=False)
        >>> fitted_state("a.pt", {"module.weight": torch.ones(1, 2, dtype=torch.float16)}, network)
        {'weight': tensor([[1., 1.]])}
        >>> fitted_state("a.pt", {"weight": torch.ones(1, 3)}, network)
        Traceback (most recent call last):
        ValueError: a.pt: weight: got shape [1, 3], wanted [1, 2]
    """
    wanted = network.state_dict()
    found = _without_prefixes(state, wanted)
    missing = [name for name in wanted if name not in found]
    for name in found:
        if name not in wanted:
            raise ValueError(f"{where}: got parameter {name!r}, {wanted_one_of(name, missing or wanted)}")
    if missing:
        raise ValueError(f"{where}: got no parameter {missing[0]!r}, wanted {', '.join(wanted)}")
    return {name: _fitted(f"{where}: {name}", found[name], value) for name, value in wanted.items()}


def _without_prefixes(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = dict(state)
    while found.keys() != wanted.keys():
        shared = next((each for each in PREFIXES if all(name.startswith(each) for name in found)), None)
        if not found or shared is None:
            break
        found = {name.removeprefix(shared): value for name, value in found.items()}
    return found


def _fitted(where: str, value: Tensor, wanted: Tensor) -> Tensor:
    if value.shape != wanted.shape:
        raise ValueError(f"{where}: got shape {list(value.shape)}, wanted {list(wanted.shape)}")
    if wanted.is_floating_point() and not value.is_floating_point():
        raise ValueError(f"{where}: got {_kind(value)}, wanted {_kind(wanted)}")
    if not torch.isfinite(value).all():
        raise ValueError(f"{where}: got {value[~torch.isfinite(value)][0].item()}, wanted finite numbers")
    cast = value.to(wanted.dtype).contiguous()
    if not torch.isfinite(cast).all() or (
        not wanted.is_floating_point() and not torch.equal(cast.to(value.dtype), value)
    ):
        raise ValueError(
            f"{where}: got numbers of {_kind(value)} that {_kind(wanted)} does not have, wanted such as it has"
        )
    return cast


def _kind(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
