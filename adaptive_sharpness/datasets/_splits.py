"""What a data set is: splits of examples, on disk one safetensors file."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
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

        Example:
            >>> inputs, targets = torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1)
            >>> rows = Rows(inputs, targets, shift=torch.tensor(1.0), scale=torch.tensor(2.0))
            >>> rows.apply(lambda inputs: 10 * inputs, torch.tensor([1])).item()  # 10 (5 - 1) / 2
            20.0
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to apply a network")

    def parts(self, size: int) -> Sequence[Tensor]:
        """All examples, in order, so many at a time.

        Args:
            size: how many may be applied at once where each costs its own.

        Returns:
            Indices, each [at most size] int64, on the split's device.

        Example:
            >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> [part.tolist() for part in rows.parts(2)]
            [[0, 1], [2, 3], [4]]
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

        Example:
            >>> inputs, targets = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
            >>> rows = Rows(inputs, targets, shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> rows.loss(torch.nn.functional.mse_loss, lambda inputs: inputs, torch.arange(2)).item()  # of 1^2 and 3^2
            5.0
        """
        return function(self.apply(network, index), self.targets[index])

    def to(self, device: torch.device) -> "Split":
        """The same split on another device.

        Example:
            >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> rows.to(torch.device("meta")).inputs.device.type
            'meta'
        """
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def within(self, hops: int) -> "Split":
        """The same examples, with the part of the data alone that a network of so many message passing layers can see.

        Raises:
            ValueError: if the data set is no graph.

        Example:
            >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> rows.within(2)
            Traceback (most recent call last):
            ValueError: hops: got 2, wanted none: the data set is no graph
        """
        raise ValueError(f"hops: got {hops}, wanted none: the data set is no graph")

    def first(self, n: int) -> "Split":
        """The first n examples.

        Raises:
            ValueError: if there are fewer than n, or n is below 1.

        Example:
            >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> len(rows.first(2))
            2
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"limit: got {n} examples, wanted 1 to {len(self)}")
        return self.chosen(slice(n))

    def chosen(self, index: Tensor | slice) -> "Split":
        """These examples alone, in this order.

        Example:
            >>> rows = Rows(torch.arange(5.0), torch.zeros(5), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> rows.chosen(torch.tensor([3, 1])).inputs.tolist()
            [3.0, 1.0]
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to choose examples")


@dataclass(frozen=True)
class Rows(Split):
    """Examples that are rows: the network sees (inputs[index] - shift) / scale.

    Args:
        inputs: [n, ...], floating point or uint8 (images stay small in memory).
        targets: [n] classes (int64), or [n, length] of sequences, or [n, outputs] values.
        shift: what to subtract, in units of the inputs, a scalar.
        scale: what to divide by afterwards, in units of the inputs, a scalar.
    """

    inputs: Tensor
    targets: Tensor
    shift: Tensor
    scale: Tensor

    def apply(self, network: Callable[..., Tensor], index: Tensor) -> Tensor:
        """The network's outputs for some rows, of (inputs[index] - shift) / scale; see `Split.apply`.

        Example:
            >>> inputs, targets = torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1)
            >>> rows = Rows(inputs, targets, shift=torch.tensor(1.0), scale=torch.tensor(2.0))
            >>> rows.apply(lambda inputs: inputs, torch.arange(2)).tolist()
            [[0.0], [2.0]]
        """
        return network((self.inputs[index] - self.shift) / self.scale)

    def chosen(self, index: Tensor | slice) -> "Rows":
        """These rows alone, in this order; see `Split.chosen`.

        Example:
            >>> rows = Rows(torch.arange(5.0), torch.zeros(5), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> rows.chosen(slice(2)).inputs.tolist()
            [0.0, 1.0]
        """
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])


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
        """The network's outputs for some nodes of this split, from the whole graph; see `Split.apply`.

        Example:
            >>> x, edge_index = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0], [1]])
            >>> nodes = Nodes(x, edge_index, nodes=torch.tensor([2, 0]), targets=torch.tensor([1, 0]))
            >>> nodes.apply(lambda x, edge_index: 10 * x, torch.tensor([0])).item()  # node 2 is the split's first
            30.0
        """
        return network(self.x, self.edge_index)[self.nodes[index]]

    def parts(self, size: int) -> Sequence[Tensor]:
        """All nodes in one part: the whole graph is gone through for any of them, whatever the size.

        Example:
            >>> nodes = Nodes(torch.zeros(3, 1), torch.tensor([[0], [1]]), torch.tensor([2, 0]), torch.tensor([1, 0]))
            >>> [part.tolist() for part in nodes.parts(1)]
            [[0, 1]]
        """
        return super().parts(len(self))

    def within(self, hops: int) -> "Nodes":
        """The same nodes in the part of the graph that a network of so many message passing layers can see from them.

        In eval mode the outputs of these nodes stay what they are, and take less time.

        Args:
            hops: message passing layers.

        Returns:
            The split on the smaller graph.

        Example:
            >>> path = torch.tensor([[0, 1, 2], [1, 2, 3]])
            >>> nodes = Nodes(torch.arange(4.0)[:, None], path, nodes=torch.tensor([3]), targets=torch.tensor([0]))
            >>> nodes.within(1).x.tolist()  # node 3, and node 2 which has an edge to it
            [[2.0], [3.0]]
        """
        from torch_geometric.utils import k_hop_subgraph  # takes two seconds, which other data sets need not wait for

        seen, edge_index, position, _ = k_hop_subgraph(self.nodes, hops, self.edge_index, True, num_nodes=len(self.x))
        return Nodes(self.x[seen], edge_index, position, self.targets)

    def chosen(self, index: Tensor | slice) -> "Nodes":
        """These nodes alone, in this order, on the same graph; see `Split.chosen`.

        Example:
            >>> edges, targets = torch.tensor([[0], [1]]), torch.tensor([1, 0])
            >>> nodes = Nodes(torch.zeros(3, 1), edges, nodes=torch.tensor([2, 0]), targets=targets)
            >>> nodes.chosen(torch.tensor([1])).nodes.tolist()
            [0]
        """
        return replace(self, nodes=self.nodes[index], targets=self.targets[index])


_KINDS = {kind.__name__: kind for kind in (Rows, Nodes)}


@dataclass(frozen=True)
class Dataset:
    """What `load(raw)` of a data set returns.

    Args:
        train: the training split.
        test: the test split.
        further: further test splits, by name, all of one kind with these.

    Raises:
        ValueError: if a further split has no name of its own, or one split is of another kind than the rest.
    """

    train: Split
    test: Split
    further: Mapping[str, Split] = field(default_factory=dict)

    def __post_init__(self):
        for name in self.further:
            if name in ("train", "test") or not re.fullmatch("[a-z][a-z0-9_]*", str(name)):
                wanted = "a name of lower-case letters, digits and underscores, neither train nor test"
                raise ValueError(f"further test split: got {name!r}, wanted {wanted}")
        for name, split in self.splits.items():
            if type(split) is not type(self.train):
                raise ValueError(f"{name}: got {type(split).__name__}, wanted {type(self.train).__name__} like train")

    @property
    def splits(self) -> dict[str, Split]:
        """All splits by name.

        Example:
            >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> list(Dataset(rows, rows, {"shifted": rows}).splits)
            ['train', 'test', 'shifted']
        """
        return {"train": self.train, "test": self.test, **self.further}

    def first(self, train: int | None = None, test: int | None = None) -> "Dataset":
        """The first examples of each split, of the further ones as many as of test; None keeps all.

        Example:
            >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> few = Dataset(rows, rows).first(train=2)
            >>> len(few.train), len(few.test)
            (2, 5)
        """
        few = {name: train if name == "train" else test for name in self.splits}
        return self._of({n: s if few[n] is None else s.first(few[n]) for n, s in self.splits.items()})

    def save(self, path: str | Path) -> None:
        """Write one safetensors file. Tensors that a split shares with train, such as a graph, are written once.

        Args:
            path: the file to write.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> rows = Rows(torch.ones(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> with TemporaryDirectory() as folder:
            ...     Dataset(rows, rows.first(2)).save(f"{folder}/rows.safetensors")
            ...     [path.name for path in Path(folder).iterdir()]
            ['rows.safetensors']
        """
        tensors = {}
        for name, split in self.splits.items():
            for part in fields(split):
                value = getattr(split, part.name)
                if name == "train" or value is not getattr(self.train, part.name):
                    tensors[f"{name}.{part.name}"] = value.clone()
        # One entry, since safetensors writes several in an order that changes from run to run.
        known = {"kind": type(self.train).__name__, "splits": list(self.splits)}
        save_file(tensors, path, {"dataset": json.dumps(known)})

    @classmethod
    def read(cls, path: str | Path) -> "Dataset":
        """Read what `save` wrote; a field that another split lacks is the training split's.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> rows = Rows(torch.ones(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
            >>> with TemporaryDirectory() as folder:
            ...     Dataset(rows, rows.first(2)).save(f"{folder}/rows.safetensors")
            ...     Dataset.read(f"{folder}/rows.safetensors").test.inputs.tolist()
            [[1.0], [1.0]]
        """
        with safe_open(path, "pt") as file:
            known = json.loads(file.metadata()["dataset"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        kind = _KINDS[known["kind"]]
        parts = [part.name for part in fields(kind)]
        shared = {part: tensors[f"train.{part}"] for part in parts}
        names = known["splits"]
        return cls._of({name: kind(**{p: tensors.get(f"{name}.{p}", shared[p]) for p in parts}) for name in names})

    @classmethod
    def _of(cls, splits: Mapping[str, Split]) -> "Dataset":
        further = {name: split for name, split in splits.items() if name not in ("train", "test")}
        return cls(splits["train"], splits["test"], further)
