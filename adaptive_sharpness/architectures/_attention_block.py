"""The block of which transformers are made, in plain products of matrices, which can be differentiated twice."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness.architectures.fast.dropout import Dropout

FACTOR = 4  # hidden units of the perceptron for each of its inputs


class AttentionBlock(nn.Module):
    """Self-attention, then a perceptron, each after a layer norm and with a shortcut around it.

    Attention is that of Vaswani et al. 2017, softmax(q k' / sqrt(d)) v in each head. That norms come first is of
    Radford et al. 2019 and Dosovitskiy et al. 2021, as is GELU. Dropout is on what each adds (Vaswani et al. 2017,
    section 5.4).

    Args:
        dim: numbers a token.
        heads: attention heads.
        causal: whether a token sees itself and those before it alone.
        dropout: the probability that a number is dropped, in 0..1.

    Raises:
        ValueError: if the heads cannot share the numbers of a token equally.
    """

    def __init__(self, dim: int, heads: int, *, causal: bool = False, dropout: float = 0.0):
        super().__init__()
        if heads < 1 or dim < 1 or dim % heads:
            raise ValueError(f"got dim {dim} and heads {heads}, wanted a dim that is a multiple of heads")
        self._heads, self._causal = heads, causal
        self.norm, self.together, self.out = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, FACTOR * dim), nn.GELU(), nn.Linear(FACTOR * dim, dim)
        )
        self.dropped = Dropout(dropout) if dropout else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """From tokens, [n, tokens, dim], to tokens.

        Example:
            >>> block, tokens = AttentionBlock(dim=4, heads=2, causal=True), torch.rand(1, 3, 4)
            >>> torch.allclose(block(tokens)[:, :2], block(tokens[:, :2]), atol=1e-6)  # the third changes no other
            True
        """
        tokens = tokens + self.dropped(self.out(self._attention(self.norm(tokens))))
        return tokens + self.dropped(self.perceptron(tokens))

    def _attention(self, tokens: Tensor) -> Tensor:
        of_heads = self.together(tokens).unflatten(-1, (3, self._heads, -1))  # [n, tokens, 3, heads, dim / heads]
        query, key, value = of_heads.movedim(-3, 0).transpose(-2, -3)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if self._causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        return (functional.softmax(scores, dim=-1) @ value).transpose(-2, -3).flatten(-2)
