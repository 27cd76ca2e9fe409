"""The report's fully connected network: 10-64-64-1 with ReLU between the layers and no activation on the output.

In the released notebook it is ELU, on the output too.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from adaptive_sharpness.architectures.fast.dropout import Dropout


def build(
    widths: Sequence[int] = (10, 64, 64, 1), activation: str = "ReLU", output: str | None = None, dropout: float = 0.0
) -> nn.Module:
    """Linear layers with an activation between them.

    Args:
        widths: units of every layer, the inputs first and the outputs last.
        activation: a class of torch.nn, such as ReLU, ELU or Tanh.
        output: the same for after the last layer, None for nothing there.
        dropout: the probability that a hidden unit is dropped, in 0..1.

    Returns:
        A network from [n, widths[0]] to [n, widths[-1]].

    Raises:
        ValueError: if there are fewer than two widths.

    Example:
        >>> sum(value.numel() for value in build().parameters())  # 11 * 64 + 65 * 64 + 65
        4929
    """
    if len(widths) < 2:
        raise ValueError(f"got {len(widths)} widths, wanted at least inputs and outputs")
    layers = []
    for inputs, outputs in pairwise(widths):
        hidden = getattr(nn, activation)()
        layers += [nn.Linear(inputs, outputs), nn.Sequential(hidden, Dropout(dropout)) if dropout else hidden]
    last = [] if output is None else [getattr(nn, output)()]
    return nn.Sequential(*layers[:-1], *last)
