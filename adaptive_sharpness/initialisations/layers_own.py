"""What the layers draw when they are built."""

from torch import Generator, nn


def layers_own(network: nn.Module, draw: Generator) -> None:
    """Keep what the layers drew when they were built.

    Args:
        network: left as it is.
        draw: not used, the layers have drawn already.

    Example:
        >>> network = nn.Linear(2, 1)
        >>> before = network.weight.tolist()
        >>> layers_own(network, Generator())
        >>> network.weight.tolist() == before
        True
    """
