"""The report's LeNet-5 (LeCun et al. 1998, with batch norm and dropout): two convolutions, then three linear layers."""

from collections.abc import Sequence

from torch import nn

from adaptive_sharpness.architectures.fast.convolution import PooledConvolution
from adaptive_sharpness.architectures.fast.dropout import Dropout


def build(
    channels: Sequence[int] = (12, 32), widths: Sequence[int] = (256, 128), classes: int = 10, dropout: float = 0.5
) -> nn.Module:
    """Two blocks of 5 x 5 convolution, batch norm, ReLU and 2 x 2 max pool; linear layers with ReLU and dropout.

    Args:
        channels: output channels of the two convolutions.
        widths: units of the two hidden linear layers.
        classes: number of outputs.
        dropout: the probability that a hidden unit is dropped, in 0..1.

    Returns:
        A network from images [n, 1, 28, 28] to logits [n, classes].

    Example:
        >>> sum(value.numel() for value in build().parameters())  # 336 + 9696 of the blocks, 131328 + 32896 + 1290
        175546
    """
    (low, high), (first, second) = channels, widths
    return nn.Sequential(
        *_block(1, low),
        *_block(low, high),
        nn.Flatten(),
        *(nn.Linear(high * 4 * 4, first), nn.ReLU(), Dropout(dropout)),
        *(nn.Linear(first, second), nn.ReLU(), Dropout(dropout)),
        nn.Linear(second, classes),
    )


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    # The maximum commutes with ReLU, to the bit and in the gradient; pooling first leaves ReLU a quarter of the work.
    return PooledConvolution(inputs, outputs, 5, pool=2), nn.ReLU()
