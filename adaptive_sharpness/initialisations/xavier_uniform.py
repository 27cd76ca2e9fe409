"""Xavier's uniform rule."""

from torch import Generator, nn


def xavier_uniform(network: nn.Module, draw: Generator) -> None:
    """Draw weights of linear and convolutional layers uniform on +-sqrt(6 / (fan_in + fan_out)), their biases 0.

    Glorot & Bengio 2010, eq. 16. Other layers stay as they are built (batch norm: 1 and 0).

    Args:
        network: changed in place.
        draw: where the numbers come from.

    Raises:
        ValueError: if the network has no such layer.

    Example:
        >>> network = nn.Conv2d(12, 12, 5)
        >>> xavier_uniform(network, Generator().manual_seed(0))
        >>> bool(0.099 < network.weight.abs().max() <= 0.1), bool(network.bias.any())  # sqrt(6 / (300 + 300))
        (True, False)
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd)]
    if not layers:
        raise ValueError("initialisation: got xavier_uniform, wanted a rule that knows a layer of this network")
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight, generator=draw)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
