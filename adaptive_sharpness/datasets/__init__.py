"""One data set a file, each with `load(raw: Path) -> Dataset`; config knows it by the file's name."""

from adaptive_sharpness.datasets._splits import Dataset, Nodes, Rows, Split

__all__ = ["Dataset", "Nodes", "Rows", "Split"]
