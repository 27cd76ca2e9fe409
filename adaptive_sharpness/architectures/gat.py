"""The report's graph attention network (Velickovic et al. 2017): torch_geometric's GAT, two layers, one head."""

from torch import nn
from torch_geometric.nn import GAT

from adaptive_sharpness.architectures.fast.attention import Attention
from adaptive_sharpness.architectures.fast.sparse import SparseLinear


def build(
    features: int = 1433,
    hidden: int = 8,
    layers: int = 2,
    classes: int = 7,
    heads: int = 1,
    dropout: float = 0.6,
    activation: str = "elu",
) -> nn.Module:
    """torch_geometric's GAT, with dropout on hidden features and on attention.

    Args:
        features: inputs a node.
        hidden: channels of the hidden layers, all heads together.
        layers: message passing layers.
        classes: outputs a node.
        heads: attention heads.
        dropout: the probability that a feature, or an attention weight, is dropped, in 0..1.
        activation: between the layers, by torch_geometric's name.

    Returns:
        A network from (x [nodes, features], edge_index [2, edges]) to logits [nodes, classes].

    Raises:
        ValueError: if there is no layer.

    Example:
        >>> sum(value.numel() for value in build().parameters())  # 1433 * 8 + 3 * 8, then 8 * 7 + 3 * 7
        11565
    """
    if layers < 1:
        raise ValueError(f"got {layers} layers, wanted at least 1")
    network = GAT(features, hidden, layers, classes, dropout=dropout, act=activation, heads=heads)
    network.convs = nn.ModuleList(Attention(conv) for conv in network.convs)
    first = network.convs[0]
    first.lin = SparseLinear(first.lin.weight)  # words of papers are zeros by 99 %: half of the time went into them
    return network
