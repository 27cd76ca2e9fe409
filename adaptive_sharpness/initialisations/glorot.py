"""torch_geometric's rule."""

import math

from torch import Generator, nn


def glorot(network: nn.Module, draw: Generator) -> None:
    """Draw every parameter uniform on +-sqrt(6 / (its last two sizes' sum)), biases 0, as torch_geometric does.

    Args:
        network: changed in place.
        draw: where the numbers come from.

    Raises:
        ValueError: if a parameter that is no bias has a single dimension, as batch norm's.

    Example:
        >>> network = nn.Linear(300, 300)
        >>> glorot(network, Generator().manual_seed(0))
        >>> bool(0.0999 < network.weight.abs().max() <= 0.1), bool(network.bias.any())  # sqrt(6 / (300 + 300))
        (True, False)
    """
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.dim() < 2:
            raise ValueError(f"initialisation: got glorot, wanted a rule that knows {name}, which has one dimension")
        else:
            bound = math.sqrt(6 / (parameter.size(-2) + parameter.size(-1)))
            nn.init.uniform_(parameter, -bound, bound, generator=draw)
