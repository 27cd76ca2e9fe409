"""What a network of a few message passing layers sees of a graph from a batch of nodes."""

from collections.abc import Callable

import torch
from torch import Tensor

from adaptive_sharpness.dataset import Nodes, Split
from adaptive_sharpness.sparse import Kept


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
