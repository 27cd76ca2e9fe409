"""The residual network of He et al. 2016 for small images ("Deep residual learning", section 4.2), such as ResNet-20.

Between stages its shortcuts have no parameters: they take every second pixel and pad channels with zeros (option A).
"""

from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness.architectures.fast.dropout import Dropout

STAGES = 3


def build(depth: int = 8, width: int = 16, channels: int = 1, classes: int = 10, dropout: float = 0.0) -> nn.Module:
    """A convolution, three stages of residual blocks, the mean over pixels, a linear layer.

    Each stage has (depth - 2) / 6 blocks; the second and third halve the image's sides and double its channels.

    Args:
        depth: layers with weights on the longest way, 6 n + 2.
        width: channels of the first stage.
        channels: of the images.
        classes: number of outputs.
        dropout: the probability that a number between a block's two convolutions is dropped, in 0..1 (Zagoruyko &
            Komodakis 2016, section 2.4).

    Returns:
        A network from images [n, channels, height, width] to logits [n, classes].

    Raises:
        ValueError: if the depth is not 8, 14, 20 and so on.

    Example:
        >>> sum(value.numel() for value in build(depth=20, channels=3).parameters())  # 0.27 M (He et al., table 6)
        269722
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"got depth {depth}, wanted 6 n + 2: 8, 14, 20 or more")
    layers, before = [*_convolution(channels, width), nn.ReLU()], width
    for stage in range(STAGES):
        after = width * 2**stage
        for block in range((depth - 2) // 6):
            layers.append(_Residual(before, after, 2 if stage and not block else 1, dropout))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


class _Residual(nn.Module):
    """Two convolutions, and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float):
        super().__init__()
        between = nn.Sequential(nn.ReLU(), Dropout(dropout)) if dropout else nn.ReLU()
        self.layers = nn.Sequential(*_convolution(inputs, outputs, stride), between, *_convolution(outputs, outputs))
        self._stride, self._padding = stride, (0, 0, 0, 0, 0, outputs - inputs)  # at the end of the channels

    def forward(self, images: Tensor) -> Tensor:
        shortcut = functional.pad(images[:, :, :: self._stride, :: self._stride], self._padding)
        return functional.relu(self.layers(images) + shortcut)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """3 x 3, and batch norm, which makes a bias superfluous."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs)
