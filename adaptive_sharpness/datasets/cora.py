"""Cora (McCallum et al. 2000; Sen et al. 2008) with the planetoid split (Yang et al. 2016): classify papers in a graph.

Reads either the eight files ind.cora.* of planetoid, or cora.content and cora.cites of the original distribution with
cora_planetoid_order.txt, the paper ids in planetoid's order. Both give the same arrays.
"""

import hashlib
import io
import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import scipy.sparse
import torch

from adaptive_sharpness.datasets import Dataset, Nodes

CLASSES = (
    "Theory",
    "Reinforcement_Learning",
    "Genetic_Algorithms",
    "Neural_Networks",
    "Probabilistic_Methods",
    "Case_Based",
    "Rule_Learning",
)


def load(raw: Path) -> Dataset:
    r"""Raw 0/1 features, nodes 0..139 for training (20 a class) and 1708..2707 for testing.

    Args:
        raw: the folder that holds the files of one of the two forms.

    Returns:
        The graph with 2708 nodes and 10556 directed edges (5278 undirected ones).

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "cora.content").write_text("".join(f"{paper} 1 0 Theory\n" for paper in range(2708)))
        ...     _ = Path(folder, "cora_planetoid_order.txt").write_text(" ".join(map(str, range(2708))))
        ...     _ = Path(folder, "cora.cites").write_text("0 1\n1 2\n")
        ...     dataset = load(Path(folder))
        >>> len(dataset.train), len(dataset.test), dataset.train.edge_index.tolist()  # both directions, by target
        (140, 1000, [[1, 0, 2, 1], [0, 1, 1, 2]])
    """
    planetoid = (raw / "ind.cora.graph").exists()
    x, y, edge_index = _read_planetoid(raw) if planetoid else _read_original(raw)
    graph, classes = (torch.from_numpy(x).float(), torch.from_numpy(edge_index)), torch.from_numpy(y)
    train, test = torch.arange(140), torch.arange(1708, 2708)
    return Dataset(Nodes(*graph, train, classes[train]), Nodes(*graph, test, classes[test]))


def digest(x: np.ndarray, y: np.ndarray, edge_index: np.ndarray) -> str:
    """What the arrays hash to, the same from every source.

    Args:
        x: features, [2708, 1433] of 0 and 1.
        y: classes, [2708].
        edge_index: edges sorted by (target, source), [2, 10556].

    Returns:
        The sha256 over x (uint8), y and edge_index (little-endian int64), in hexadecimal.

    Example:
        >>> of_bytes = hashlib.sha256(bytes([1]) + bytes([2, *[0] * 7]) + bytes(16)).hexdigest()
        >>> digest(np.array([[1]]), np.array([2]), np.array([[0], [0]])) == of_bytes
        True
    """
    parts = (x.astype(np.uint8), y.astype("<i8"), edge_index.astype("<i8"))
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def _read_planetoid(raw: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = ("allx", "tx", "ally", "ty", "graph")
    allx, tx, ally, ty, graph = (unpickle((raw / f"ind.cora.{name}").read_bytes()) for name in names)
    order = np.loadtxt(raw / "ind.cora.test.index", dtype=np.int64)
    x = np.vstack([allx.toarray(), tx.toarray()]).astype(np.uint8)
    y = np.vstack([ally, ty]).argmax(axis=1)
    x[order], y[order] = x[np.sort(order)], y[np.sort(order)]
    return x, y, _edges((source, target) for source, targets in graph.items() for target in targets)


def _read_original(raw: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    papers = {row[0]: row[1:] for row in map(str.split, (raw / "cora.content").read_text().splitlines())}
    order = (raw / "cora_planetoid_order.txt").read_text().split()
    position = {paper: node for node, paper in enumerate(order)}
    x = np.array([papers[paper][:-1] for paper in order], dtype=np.uint8)
    y = np.array([CLASSES.index(papers[paper][-1]) for paper in order])
    cites = map(str.split, (raw / "cora.cites").read_text().splitlines())
    return x, y, _edges((position[cited], position[citing]) for cited, citing in cites)


def _edges(pairs) -> np.ndarray:
    """Both directions of every edge, once, without self loops, sorted by (target, source)."""
    both = {edge for source, target in pairs if source != target for edge in ((source, target), (target, source))}
    return np.array(sorted(both, key=lambda edge: (edge[1], edge[0])), dtype=np.int64).T.copy()


_ALLOWED = {  # under the names that Python 2 gave them
    ("scipy.sparse.csr", "csr_matrix"): scipy.sparse.csr_matrix,
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"a Cora file asks for {module}.{name}, which no such file needs: refused")
        return _ALLOWED[module, name]


def unpickle(data: bytes):
    """Read a planetoid pickle, allowing only the six names that such files need.

    Args:
        data: the file's bytes, whose hash has been checked.

    Returns:
        The object.

    Raises:
        pickle.UnpicklingError: if the pickle asks for any other name.

    Example:
        >>> unpickle(pickle.dumps([1, 2])), unpickle(pickle.dumps(print))
        Traceback (most recent call last):
        _pickle.UnpicklingError: a Cora file asks for builtins.print, which no such file needs: refused
    """
    return _Unpickler(io.BytesIO(data), encoding="latin1").load()
