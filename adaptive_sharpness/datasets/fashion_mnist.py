"""FashionMNIST (Xiao et al. 2017): ten kinds of clothing, 60000 training and 10000 test images of 28 x 28 pixels.

Reads {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, decompressed.
"""

from pathlib import Path

import torch
from torchvision.datasets.mnist import read_image_file, read_label_file

from adaptive_sharpness.datasets import Dataset, Rows


def load(raw: Path) -> Dataset:
    """Images as uint8 [n, 1, 28, 28], normalised when used, by the mean and deviation of all training pixels.

    Args:
        raw: the folder that holds the four files.

    Returns:
        60000 training and 10000 test images, targets in 0..9.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> def idx(*sizes):
        ...     return bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        >>> with TemporaryDirectory() as folder:
        ...     for part, n in (("train", 3), ("t10k", 2)):
        ...         _ = Path(folder, f"{part}-images-idx3-ubyte").write_bytes(idx(n, 28, 28) + bytes([7]) * n * 28 * 28)
        ...         _ = Path(folder, f"{part}-labels-idx1-ubyte").write_bytes(idx(n) + bytes([9]) * n)
        ...     dataset = load(Path(folder))
        >>> dataset.train.targets.tolist(), list(dataset.test.inputs.shape), dataset.test.shift.item()
        ([9, 9, 9], [2, 1, 28, 28], 7.0)
    """
    pixels = read_image_file(str(raw / "train-images-idx3-ubyte")).double()
    shift, scale = pixels.mean().float(), pixels.std(correction=0).float()
    return Dataset(_rows(raw, "train", shift, scale), _rows(raw, "t10k", shift, scale))


def _rows(raw: Path, part: str, shift: torch.Tensor, scale: torch.Tensor) -> Rows:
    images = read_image_file(str(raw / f"{part}-images-idx3-ubyte"))
    return Rows(images[:, None], read_label_file(str(raw / f"{part}-labels-idx1-ubyte")), shift, scale)
