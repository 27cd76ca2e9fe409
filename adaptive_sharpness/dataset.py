"""A data set as the rest of the package sees it: a training and a test split, on disk one safetensors file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


class Split:
    """Examples by index. `apply` hides whether they are rows of a table or nodes of a graph."""

    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def apply(self, network: Callable[..., Tensor], index: Tensor) -> Tensor:
        """The network's outputs for some examples.

        Args:
            network: any callable on what this split feeds it.
            index: which examples, [n] int64.

        Returns:
            Outputs, [n, ...].
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to apply a network")

    def parts(self, size: int) -> Sequence[Tensor]:
        """All examples, in order, so many at a time.

        Args:
            size: how many may be applied at once where each costs its own.

        Returns:
            Indices, each [at most size] int64, on the split's device.
        """
        return torch.arange(len(self), device=self.targets.device).split(size)

    def loss(self, function: Callable[..., Tensor], network: Callable[..., Tensor], index: Tensor) -> Tensor:
        """The mean loss of a network on some examples.

        Args:
            function: a loss of (outputs, targets).
            network: any callable on what this split feeds it.
            index: which examples, [n] int64.

        Returns:
            The loss, a scalar.
        """
        return function(self.apply(network, index), self.targets[index])

    def to(self, device: torch.device) -> "Split":
        """The same split on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def first(self, n: int) -> "Split":
        """The first n examples.

        Raises:
            ValueError: if there are fewer than n, or n is below 1.
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"limit: got {n} examples, wanted 1 to {len(self)}")
        return self._keep(n)


@dataclass(frozen=True)
class Rows(Split):
    """Examples that are rows: the network sees (inputs[index] - shift) / scale.

    Args:
        inputs: [n, ...], floating point or uint8 (images stay small in memory).
        targets: [n] classes (int64), or [n, outputs] values.
        shift: what to subtract, in units of the inputs, a scalar.
        scale: what to divide by afterwards, in units of the inputs, a scalar.
    """

    inputs: Tensor
    targets: Tensor
    shift: Tensor
    scale: Tensor

    def apply(self, network: Callable[..., Tensor], index: Tensor) -> Tensor:
        return network((self.inputs[index] - self.shift) / self.scale)

    def _keep(self, n: int) -> "Rows":
        return replace(self, inputs=self.inputs[:n], targets=self.targets[:n])


@dataclass(frozen=True)
class Nodes(Split):
    """Examples that are nodes of one graph: the network always sees the whole graph.

    Args:
        x: features of every node, [nodes, features].
        edge_index: edges, [2, edges] int64, row 0 the source.
        nodes: the nodes of this split, [n] int64.
        targets: their classes, [n] int64.
    """

    x: Tensor
    edge_index: Tensor
    nodes: Tensor
    targets: Tensor

    def apply(self, network: Callable[..., Tensor], index: Tensor) -> Tensor:
        return network(self.x, self.edge_index)[self.nodes[index]]

    def parts(self, size: int) -> Sequence[Tensor]:
        """All nodes in one part: the whole graph is gone through for any of them, whatever the size."""
        return super().parts(len(self))

    def within(self, hops: int) -> "Nodes":
        """The same nodes in the part of the graph that a network of so many message passing layers can see from them.

        In eval mode the outputs of these nodes stay what they are, and take less time.

        Args:
            hops: message passing layers.

        Returns:
            The split on the smaller graph.
        """
        from torch_geometric.utils import k_hop_subgraph  # takes two seconds, which other data sets need not wait for

        seen, edge_index, position, _ = k_hop_subgraph(self.nodes, hops, self.edge_index, True, num_nodes=len(self.x))
        return Nodes(self.x[seen], edge_index, position, self.targets)

    def _keep(self, n: int) -> "Nodes":
        return replace(self, nodes=self.nodes[:n], targets=self.targets[:n])


_KINDS = {kind.__name__: kind for kind in (Rows, Nodes)}


@dataclass(frozen=True)
class Dataset:
    """What `load(raw)` of a module in `adaptive_sharpness.datasets` returns."""

    train: Split
    test: Split

    def first(self, train: int | None = None, test: int | None = None) -> "Dataset":
        """The first examples of each split; None keeps all."""
        kept = (split if n is None else split.first(n) for split, n in ((self.train, train), (self.test, test)))
        return Dataset(*kept)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file. Tensors that the splits share, such as a graph, are written once.

        Args:
            path: the file to write.
        """
        tensors = {}
        for field in fields(self.train):
            train, test = getattr(self.train, field.name), getattr(self.test, field.name)
            tensors[f"train.{field.name}"] = train.clone()
            if test is not train:
                tensors[f"test.{field.name}"] = test.clone()
        save_file(tensors, path, {"kind": type(self.train).__name__})

    @classmethod
    def read(cls, path: str | Path) -> "Dataset":
        """Read what `save` wrote; a field that test lacks is the training split's."""
        with safe_open(path, "pt") as file:
            kind = _KINDS[file.metadata()["kind"]]
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        train = {field.name: tensors[f"train.{field.name}"] for field in fields(kind)}
        test = {name: tensors.get(f"test.{name}", value) for name, value in train.items()}
        return cls(kind(**train), kind(**test))
