"""A small causal language model: the decoder of Vaswani et al. 2017 as Radford et al. 2019 (GPT-2) have it."""

from torch import Tensor, nn

from adaptive_sharpness.architectures._attention_block import AttentionBlock
from adaptive_sharpness.architectures.fast.dropout import Dropout


def build(
    vocabulary: int, context: int = 32, dim: int = 32, depth: int = 2, heads: int = 4, dropout: float = 0.0
) -> nn.Module:
    """Learned vectors of tokens and of positions, causal attention blocks, a linear layer of each token.

    The last layer has weights of its own, and no bias.

    Args:
        vocabulary: number of different tokens.
        context: the most tokens in a sequence.
        dim: numbers a token.
        depth: attention blocks.
        heads: attention heads.
        dropout: the probability that a number is dropped of what a layer adds, or of the first tokens, in 0..1.

    Returns:
        A network from tokens [n, at most context], whole numbers of any type, to logits of each next token,
        [n, vocabulary, at most context]: cross_entropy wants classes in the second place.

    Raises:
        ValueError: if heads do not divide dim, or there is no block.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     small = build(vocabulary=50257, context=1024, dim=768, depth=12, heads=12)
        >>> sum(value.numel() for value in small.parameters()) - 50257 * 768  # of GPT-2, whose last layer has no own
        124439808
    """
    if depth < 1:
        raise ValueError(f"got depth {depth}, wanted at least 1")
    return nn.Sequential(
        _Tokens(vocabulary, context, dim, dropout),
        *(AttentionBlock(dim, heads, causal=True, dropout=dropout) for _ in range(depth)),
        nn.LayerNorm(dim),
        nn.Linear(dim, vocabulary, bias=False),
        _ClassesSecond(),
    )


class _Tokens(nn.Module):
    """The vectors of tokens and of their positions, added up."""

    def __init__(self, vocabulary: int, context: int, dim: int, dropout: float):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, dim), nn.Embedding(context, dim)
        self.dropped = Dropout(dropout) if dropout else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        positions = self.positions.weight[: tokens.shape[-1]]
        return self.dropped(self.tokens(tokens.long()) + positions)  # a data set's rows come in floating point


class _ClassesSecond(nn.Module):
    """From [n, tokens, vocabulary] to [n, vocabulary, tokens]."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits.mT
