"""What a network of a few message passing layers sees of a graph from a batch of nodes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from adaptive_sharpness.architectures.fast.sparse import Kept
from adaptive_sharpness.datasets import Nodes, Split


class Neighbourhood(Split):
    """Nodes, each batch of them with those edges alone that a network in eval mode sees from it.

    The outputs of the batch and their gradients stay what they are: what other edges add to them is 0. In training
    mode, where dropout draws for every edge, a network gets all of `nodes.within(hops)`.

    Args:
        nodes: of a graph.
        hops: message passing layers.
    """

    def __init__(self, nodes: Nodes, hops: int):
        self._part, self._hops, self._edges = nodes.within(hops), hops, Kept(self._towards)
        self.targets = nodes.targets

    def apply(self, network: Callable[..., Tensor], index: Tensor) -> Tensor:
        """The network's outputs for some nodes, see `Split.apply`.

        Example:
            >>> path = torch.tensor([[0, 1, 2], [1, 2, 3]])
            >>> nodes = Nodes(torch.arange(4.0)[:, None], path, nodes=torch.tensor([3]), targets=torch.tensor([0]))
            >>> def with_sources(x, edges):
            ...     return x.index_add(0, edges[1], x[edges[0]])
            >>> Neighbourhood(nodes, hops=1).apply(with_sources, torch.tensor([0])).item()  # 3, and 2 from node 2
            5.0
        """
        part = self._part
        edges = part.edge_index if getattr(network, "training", False) else self._edges.of(index)
        return network(part.x, edges)[part.nodes[index]]

    def _towards(self, index: Tensor) -> Tensor:
        """The edges that end at most hops - 1 edges away from some nodes."""
        source, target = self._part.edge_index
        near = torch.zeros(len(self._part.x), dtype=torch.bool, device=target.device)
        near[self._part.nodes[index]] = True
        for _ in range(self._hops - 1):
            near[source[near[target]]] = True
        return self._part.edge_index[:, near[target]]


@torch.no_grad()
def visible_part(split: Split, network: nn.Module, hops: int | None, stacked: int | None) -> Split:
    """Return the split on the part of its graph that the network can see, if config says how far that is.

    Args:
        split: the training examples, on the network's device.
        network: in eval mode.
        hops: how many edges away an output's node may be from what it depends on; None to leave the split as it is.
        stacked: problems that are solved at once, which have their edges in common.

    Returns:
        A split with the same examples.

    Raises:
        ValueError: if the split is no graph, or the network sees further.

    Example:
        >>> path = torch.tensor([[0, 1, 2], [1, 2, 3]])
        >>> nodes = Nodes(torch.arange(4.0)[:, None], path, nodes=torch.tensor([3]), targets=torch.tensor([0]))
        >>> visible_part(nodes, lambda x, edges: x, hops=1, stacked=2).x.tolist()  # node 3, and node 2 before it
        [[2.0], [3.0]]
    """
    if hops is None:
        return split
    near = split.within(hops)
    part = Neighbourhood(split, hops) if stacked in (None, 1) else near
    index = torch.arange(len(split), device=split.targets.device)
    outputs, wanted = part.apply(network, index), split.apply(network, index)
    if not torch.allclose(outputs, wanted, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise ValueError(f"hops: got {hops}, wanted as many as the network has message passing layers: outputs differ")
    return part
