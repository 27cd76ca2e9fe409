"""One module an architecture, each with `build(**options) -> nn.Module`; config knows it by the module's name."""

from importlib import import_module

from torch import nn


def build(network: str, options: dict) -> nn.Module:
    """Build a network; how its weights are drawn is `adaptive_sharpness.initialisation`'s business.

    Args:
        network: the name of a module of this package.
        options: what its `build` takes.

    Returns:
        The network.

    Raises:
        ValueError: if `build` does not take these options, or gives no network with parameters.
    """
    make = import_module(f"{__name__}.{network}").build
    try:
        built = make(**options)
    except Exception as error:  # whatever a user's build() or torch finds wrong with them
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"network {network}: options {options} do not fit its build(): {reason}") from error
    if not isinstance(built, nn.Module) or not list(built.parameters()):
        got = "no parameters" if isinstance(built, nn.Module) else type(built).__name__
        raise ValueError(f"network {network}: build() gave {got}, wanted a network with parameters")
    return built
