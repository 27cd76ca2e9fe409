"""The published facts of the three data sets, read from package registries and, where they are present, other sources.

Every fact is counted anew from the raw files or is one that the data sets' own documentation states.
"""

import csv
import hashlib
import io
import os
import pickle
import re
import struct
from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse
import torch

from adaptive_sharpness.datasets import Nodes, cora
from adaptive_sharpness.study.fetching.fetch import fetch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lines(raw) -> list[list[str]]:
    with open(raw("abalone") / "abalone.data", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def split() -> tuple[np.ndarray, np.ndarray]:
    """Positions in the file: of a shuffle of all but the first row a fifth is for testing, the next for training.

    This is how scikit-learn defines train_test_split, done without it.
    """
    shuffled = 1 + np.random.RandomState(42).permutation(4176)
    return np.concatenate([[0], shuffled[836:]]), shuffled[:836]


def test_abalone_has_4177_rows_of_ten_inputs_and_one_target(dataset, lines):
    train, test = dataset("abalone").train, dataset("abalone").test
    assert len(lines) == 4177
    assert (len(train), len(test)) == (3341, 836)
    assert train.inputs.shape == (3341, 10)
    assert test.inputs.shape == (836, 10)
    assert train.targets.shape == (3341, 1)
    assert {each.dtype for each in (train.inputs, train.targets, test.inputs, test.targets)} == {torch.float32}


def test_abalone_has_the_published_numbers_of_males_females_and_infants(dataset):
    abalone = dataset("abalone")
    sexes = torch.cat([abalone.train.inputs, abalone.test.inputs])[:, 7:] > 0
    assert sexes.sum(dim=0).tolist() == [1528, 1307, 1342]
    assert torch.equal(sexes.sum(dim=1), torch.ones(4177, dtype=torch.int64))


def test_abalone_every_row_is_the_standardised_row_of_the_file(dataset, lines, split):
    table = np.array([[*line[1:8], *(line[0] == sex for sex in "MFI"), line[8]] for line in lines], dtype=float)
    train, test = (table[rows] for rows in split)
    for got, rows in ((dataset("abalone").train, train), (dataset("abalone").test, test)):
        wanted = (rows - train.mean(axis=0)) / np.sqrt(((train - train.mean(axis=0)) ** 2).sum(axis=0) / 3340)
        found = torch.cat([got.apply(lambda inputs: inputs, torch.arange(len(got))), got.targets], dim=1)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_abalone_has_rings_from_1_to_29_but_28_and_two_shells_without_height(dataset):
    splits = dataset("abalone").train, dataset("abalone").test
    rings = torch.cat([split.targets for split in splits]).double().unique()
    steps = (rings - rings[0]) / (rings[1] - rings[0])
    assert [round(1 + step, 3) for step in steps.tolist()] == [*range(1, 28), 29]
    heights = torch.cat([split.inputs[:, 2] for split in splits])
    assert (heights == heights.min()).sum() == 2


def test_abalone_is_standardised_by_the_training_part_alone(dataset):
    train, test = dataset("abalone").train, dataset("abalone").test
    for values in (train.inputs.double(), train.targets.double()):
        assert values.mean(dim=0).abs().max() < 1e-6
        assert (values.std(dim=0) - 1).abs().max() < 1e-6
    assert test.inputs.mean(dim=0).abs().max() > 1e-3
    assert (test.inputs.std(dim=0) - 1).abs().max() > 1e-3


@pytest.mark.parametrize(("part", "name", "images"), [("train", "train", 60_000), ("test", "t10k", 10_000)])
def test_fashion_mnist_has_the_images_and_labels_of_the_files_all_classes_alike(dataset, raw, part, name, images):
    split, folder = getattr(dataset("fashion_mnist"), part), raw("fashion_mnist")
    pixels = np.fromfile(folder / f"{name}-images-idx3-ubyte", dtype=np.uint8, offset=16)
    labels = np.fromfile(folder / f"{name}-labels-idx1-ubyte", dtype=np.uint8, offset=8)
    assert split.inputs.shape == (images, 1, 28, 28)
    assert np.array_equal(split.inputs.numpy().ravel(), pixels)
    assert np.array_equal(split.targets.numpy(), labels)
    assert torch.bincount(split.targets).tolist() == [images // 10] * 10


def test_fashion_mnist_images_stay_in_bytes_and_targets_are_classes(dataset):
    train = dataset("fashion_mnist").train
    assert (train.inputs.dtype, train.targets.dtype) == (torch.uint8, torch.int64)


@pytest.mark.parametrize("part", ["train", "test"])
def test_fashion_mnist_is_normalised_by_the_published_mean_and_deviation_of_training_pixels(dataset, part):
    split = getattr(dataset("fashion_mnist"), part)
    seen = split.apply(lambda images: images, torch.arange(100))
    wanted = (split.inputs[:100] / 255 - 0.28604060) / 0.35302424
    torch.testing.assert_close(seen, wanted, rtol=1e-5, atol=1e-6)


DIGEST = "eb486c49f2f32f7524f4429bb8be437c3417e6bb46b98e104e089b3202a385b2"  # of Cora, the same from every source


@pytest.fixture(scope="module")
def graph(dataset) -> Nodes:
    return dataset("cora").train


@pytest.fixture(scope="module")
def classes(raw) -> np.ndarray:
    """Of all papers in planetoid's order, those of no split too."""
    lines = (line.split() for line in (raw("cora") / "cora.content").read_text().splitlines())
    labels = {line[0]: cora.CLASSES.index(line[-1]) for line in lines}
    return np.array([labels[paper] for paper in (raw("cora") / "cora_planetoid_order.txt").read_text().split()])


def test_cora_has_the_canonical_digest(graph, classes):
    x, edge_index = graph.x.numpy(), graph.edge_index.numpy()
    parts = (x.astype(np.uint8), classes.astype("<i8"), edge_index.astype("<i8"))
    assert hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest() == DIGEST
    assert cora.digest(x, classes.astype(np.int32), edge_index) == DIGEST


def test_cora_has_2708_papers_with_1433_words_of_0_and_1(graph):
    assert graph.x.shape == (2708, 1433)
    assert graph.x.dtype == torch.float32
    assert graph.x.unique().tolist() == [0, 1]
    assert graph.x.sum().item() == 49_216


def test_cora_has_5278_undirected_edges_and_no_self_loop_or_isolated_paper(graph):
    edges = set(map(tuple, graph.edge_index.T.tolist()))
    assert graph.edge_index.shape == (2, 10_556)
    assert len(edges) == 10_556
    assert {(target, source) for source, target in edges} == edges
    assert all(source != target for source, target in edges)
    assert len(graph.edge_index.unique()) == 2708


def test_cora_has_the_planetoid_split(dataset, classes):
    train, test = dataset("cora").train, dataset("cora").test
    assert train.nodes.tolist() == [*range(140)]
    assert test.nodes.tolist() == [*range(1708, 2708)]
    assert torch.bincount(train.targets).tolist() == [20] * 7
    assert train.targets.tolist() == classes[:140].tolist()
    assert test.targets.tolist() == classes[1708:].tolist()


def test_cora_has_the_published_class_counts(classes):
    assert np.bincount(classes).tolist() == [351, 217, 418, 818, 426, 298, 180]


def test_cora_splits_share_one_graph(dataset):
    assert dataset("cora").test.x is dataset("cora").train.x
    assert dataset("cora").test.edge_index is dataset("cora").train.edge_index


def test_cora_is_the_same_from_the_planetoid_files(config, dataset, tmp_path):
    block = config["datasets"]["cora"]
    local = next(source for source in block["sources"] if "directory" in source)
    if not (ROOT / local["directory"] / "ind.cora.graph").exists():
        pytest.skip(f"no ind.cora.* in {local['directory']}, and no package registry has them")
    fetch([{**local, "directory": str(ROOT / local["directory"])}], block["sha256"], tmp_path)
    _assert_same(cora.load(tmp_path), dataset("cora"))


def test_cora_is_the_same_from_files_like_planetoids_written_from_the_graph(dataset, classes, tmp_path):
    _write_like_planetoid(tmp_path, dataset("cora").train, np.eye(7, dtype=np.int32)[classes])
    _assert_same(cora.load(tmp_path), dataset("cora"))


def _assert_same(found, wanted) -> None:
    for split in ("train", "test"):
        for field in fields(Nodes):
            one, other = (getattr(getattr(each, split), field.name) for each in (found, wanted))
            assert one.dtype == other.dtype
            assert torch.equal(one, other)


def _write_like_planetoid(folder: Path, graph: Nodes, y: np.ndarray) -> None:
    """Test nodes in the order that test.index gives; edges twice and a self loop, as in the real files."""
    order = 1708 + np.random.default_rng(0).permutation(1000)
    x = scipy.sparse.csr_matrix(graph.x.numpy())
    edges = defaultdict(list, {0: [0]})
    for source, target in 2 * graph.edge_index.T.tolist():
        edges[source].append(target)
    parts = {"allx": x[:1708], "tx": x[order], "ally": y[:1708], "ty": y[order], "graph": edges}
    for name, part in parts.items():
        (folder / f"ind.cora.{name}").write_bytes(python_2_pickle(part))
    np.savetxt(folder / "ind.cora.test.index", order, fmt="%d")


class _Python2Pickler(pickle._Pickler):
    """Bytes are written as Python 2 wrote its texts; the C pickler cannot be told to."""

    def _save_as_text(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: _save_as_text}


def python_2_pickle(value) -> bytes:
    """A pickle of protocol 2 with the names of Python 2, of NumPy 1 and of an early SciPy."""
    file = io.BytesIO()
    _Python2Pickler(file, protocol=2).dump(value)
    old = {b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n", b"cscipy.sparse._csr\n": b"cscipy.sparse.csr\n"}
    for today, then in old.items():
        file = io.BytesIO(file.getvalue().replace(today, then))
    return file.getvalue()


def test_the_unpickler_reads_an_array():
    array = np.random.default_rng(0).normal(size=(3, 4))
    assert np.array_equal(cora.unpickle(python_2_pickle(array)), array)


def test_the_unpickler_reads_a_sparse_matrix():
    matrix = scipy.sparse.csr_matrix(np.eye(4, 6) * [[3.0], [1.0], [0.0], [-2.0]])
    read = cora.unpickle(python_2_pickle(matrix))
    assert isinstance(read, scipy.sparse.csr_matrix)
    assert np.array_equal(read.toarray(), matrix.toarray())


def test_the_unpickler_reads_lists_by_node():
    edges = defaultdict(list, {0: [1, 2], 1: [0]})
    read = cora.unpickle(python_2_pickle(edges))
    assert read == edges
    assert read[5] == []


def test_the_unpickler_reads_texts_as_latin1():
    assert cora.unpickle(python_2_pickle("é".encode("latin1"))) == "é"


@pytest.mark.fault(
    fault="a raw file (Cora's pickle) that would run a command",
    sees="`a Cora file asks for ..., which no such file needs: refused`",
)
@pytest.mark.parametrize("nesting", [lambda x: x, lambda x: [1, {"a": (x,)}], lambda x: _Call(list, ([x],))])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_unpickler_refuses_to_run_a_command(nesting, protocol, tmp_path):
    malicious = pickle.dumps(nesting(_Call(os.system, (f"touch {tmp_path}/trace",))), protocol)
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        cora.unpickle(malicious)
    assert not (tmp_path / "trace").exists()
    pickle.loads(malicious)  # which shows that it is malicious indeed
    assert (tmp_path / "trace").exists()


@pytest.mark.fault(
    fault="a raw file (Cora's pickle) that asks for any other code",
    sees="`a Cora file asks for ..., which no such file needs: refused`",
)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("__builtin__", "eval"),
        ("builtins", "eval"),
        ("builtins", "list"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("collections", "OrderedDict"),
        ("scipy.sparse.csr", "csr_array"),
        ("os", "list"),
    ],
)
def test_the_unpickler_refuses_every_other_name_and_says_which(module, name):
    by_line = b"c" + f"{module}\n{name}\n".encode() + b"."
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    for data in (by_line, b"\x80\x04" + texts + b"\x93."):
        with pytest.raises(pickle.UnpicklingError, match=f"asks for {re.escape(module)}.{re.escape(name)}, "):
            cora.unpickle(data)


class _Call:
    """Pickles as a call that is made when it is read."""

    def __init__(self, function, arguments):
        self._reduced = function, arguments

    def __reduce__(self):
        return self._reduced
