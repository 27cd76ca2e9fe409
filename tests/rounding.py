"""Numbers that differ by the order of sums alone."""

import torch
from torch import Tensor


def assert_equal_up_to_rounding(found: list[Tensor], wanted: list[Tensor]) -> None:
    """By the largest number of each tensor: what nearly cancels has lost digits."""
    for one, other in zip(found, wanted, strict=True):
        rounding = 64 * torch.finfo(other.dtype).eps * other.abs().max().item()
        torch.testing.assert_close(one, other, rtol=0, atol=rounding)
