"""How a seed's initial weights are drawn. Each rule depends on the seed alone, never on the shard or the machine."""

import math

from torch import Generator, nn

from adaptive_sharpness import architectures
from adaptive_sharpness.randomness import default_generator, generator


def xavier_uniform(network: nn.Module, draw: Generator) -> None:
    """Weights of linear and convolutional layers uniform on +-sqrt(6 / (fan_in + fan_out)), their biases 0.

    Glorot & Bengio 2010, eq. 16. Other layers stay as they are built (batch norm: 1 and 0).

    Args:
        network: changed in place.
        draw: where the numbers come from.

    Raises:
        ValueError: if the network has no such layer.
    """
    layers = [each for each in network.modules() if isinstance(each, nn.Linear | nn.modules.conv._ConvNd)]
    if not layers:
        raise ValueError("initialisation: got xavier_uniform, wanted a rule that knows a layer of this network")
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight, generator=draw)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def glorot(network: nn.Module, draw: Generator) -> None:
    """torch_geometric's rule: every parameter uniform on +-sqrt(6 / (its last two sizes' sum)), biases 0.

    Args:
        network: changed in place.
        draw: where the numbers come from.

    Raises:
        ValueError: if a parameter that is no bias has a single dimension, as batch norm's.
    """
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.dim() < 2:
            raise ValueError(f"initialisation: got glorot, wanted a rule that knows {name}, which has one dimension")
        else:
            bound = math.sqrt(6 / (parameter.size(-2) + parameter.size(-1)))
            nn.init.uniform_(parameter, -bound, bound, generator=draw)


def layers_own(network: nn.Module, draw: Generator) -> None:
    """What the layers draw when they are built; kept.

    FCNN_model.ipynb and LeNet5_model.ipynb keep it, where they build their networks; the text says Xavier.

    Args:
        network: left as it is.
        draw: not used, the layers have drawn already.
    """


def initialised(network: str, options: dict, initialisation: str, seed: int) -> nn.Module:
    """A seed's network before training.

    Args:
        network: the architecture's name.
        options: what its `build` takes.
        initialisation: "xavier_uniform", "glorot" or "layers_own".
        seed: the model's seed.

    Returns:
        The network, on the CPU.
    """
    with default_generator(seed, "layers"):
        built = architectures.build(network, options)
    globals()[initialisation](built, generator(seed, "weights"))
    return built
