"""Count the floating-point operations of matrix products and convolutions, of sparse products by their entries."""

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def counter() -> FlopCounterMode:
    """torch's counter, which by itself takes a sparse matrix for a dense one."""
    aten = torch.ops.aten
    return FlopCounterMode(display=False, custom_mapping={aten.mm: _product, aten.addmm: _sum_and_product})


def _product(one: Tensor, other: Tensor, *_, **__) -> int:
    entries = one.values().numel() if one.layout is torch.sparse_csr else one.numel()
    return 2 * entries * other.shape[1]


def _sum_and_product(_: Tensor, one: Tensor, other: Tensor, *__, **___) -> int:
    return _product(one, other)


# What FlopCounterMode looks for, to give tensors and not their shapes.
_product._get_raw = _sum_and_product._get_raw = True
