"""A small vision transformer (Dosovitskiy et al. 2021): an image is a sequence of square patches."""

import torch
from torch import Tensor, nn

from adaptive_sharpness.architectures._attention_block import AttentionBlock
from adaptive_sharpness.architectures.fast.dropout import Dropout

SPREAD = 0.02  # standard deviation of the positions before training


def build(
    patch: int = 7,
    dim: int = 32,
    depth: int = 2,
    heads: int = 4,
    side: int = 28,
    channels: int = 1,
    classes: int = 10,
    dropout: float = 0.0,
) -> nn.Module:
    """A linear layer of each patch, a class token, learned positions, attention blocks, a linear layer of that token.

    Args:
        patch: side of a patch, in pixels.
        dim: numbers a token.
        depth: attention blocks.
        heads: attention heads.
        side: of the images, in pixels.
        channels: of the images.
        classes: number of outputs.
        dropout: the probability that a number is dropped of what a layer adds, or of the first tokens, in 0..1.

    Returns:
        A network from images [n, channels, side, side] to logits [n, classes].

    Raises:
        ValueError: if patches do not tile the image, or heads do not divide dim, or there is no block.

    Example:
        >>> with torch.device("meta"):  # 86.6 M of ViT-B/16
        ...     base = build(patch=16, dim=768, depth=12, heads=12, side=224, channels=3, classes=1000)
        >>> sum(value.numel() for value in base.parameters())
        86567656
    """
    if patch < 1 or side % patch:
        raise ValueError(f"got patch {patch} and side {side}, wanted a side that is a multiple of patch")
    if depth < 1:
        raise ValueError(f"got depth {depth}, wanted at least 1")
    return nn.Sequential(
        _Patches(patch),
        nn.Linear(channels * patch**2, dim),
        _Positions((side // patch) ** 2, dim, dropout),
        *(AttentionBlock(dim, heads, dropout=dropout) for _ in range(depth)),
        nn.LayerNorm(dim),
        _First(),
        nn.Linear(dim, classes),
    )


class _Patches(nn.Module):
    """From images to the pixels of their patches, [n, patches, channels * patch^2]."""

    def __init__(self, patch: int):
        super().__init__()
        self._patch = patch

    def forward(self, images: Tensor) -> Tensor:
        tiles = images.unflatten(3, (-1, self._patch)).unflatten(2, (-1, self._patch))  # rows, down, columns, across
        return tiles.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


class _Positions(nn.Module):
    """Puts a class token first, and adds a learned vector to each token."""

    def __init__(self, patches: int, dim: int, dropout: float):
        super().__init__()
        self.dropped = Dropout(dropout) if dropout else nn.Identity()
        self.first = nn.Parameter(torch.zeros(1, dim))
        self.positions = nn.Parameter(nn.init.normal_(torch.empty(1 + patches, dim), std=SPREAD))

    def forward(self, tokens: Tensor) -> Tensor:
        together = torch.cat([self.first.expand(len(tokens), 1, -1), tokens], dim=-2)
        return self.dropped(together + self.positions)


class _First(nn.Module):
    """The class token."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[..., 0, :]
